package edge

import (
	"testing"

	"docket/domain"
	"docket/internal/apitest"
)

func TestPatch(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	send := func(body string) *samplePatch {
		t.Helper()
		s.patched = nil
		if rec := s.send("PATCH", thingPath, body, "Content-Type", "application/merge-patch+json"); rec.Code != 200 {
			t.Fatal(rec.Code, rec.Body)
		}
		return s.patched
	}
	if got := send(`{}`); got.Name.Set || got.Description.Set || got.Labels.Set || got.Config.Set ||
		got.Name.Edit().Set || got.Description.Nullable().Set {
		t.Errorf("%+v", got)
	}
	got := send(`{"name":"abc","description":null,"owner_id":"018f3a5c-0000-7000-8000-000000000001","labels":["x"],"config":{"from":null}}`)
	if got.Name.Edit() != domain.To("abc") {
		t.Errorf("%+v", got.Name)
	}
	if e := got.Description.Nullable(); !e.Set || e.Value != nil || !got.Description.Null {
		t.Errorf("%+v", got.Description)
	}
	if e := got.OwnerID.Nullable(); !e.Set || e.Value == nil || e.Value.String() != "018f3a5c-0000-7000-8000-000000000001" {
		t.Errorf("%+v", got.OwnerID)
	}
	if !got.Labels.Set || len(got.Labels.Value) != 1 {
		t.Errorf("%+v", got.Labels)
	}
	if !got.Config.Set || !got.Config.Value.From.Null {
		t.Errorf("%+v", got.Config)
	}
	if got := send(`{"labels":[]}`); !got.Labels.Set || got.Labels.Null || len(got.Labels.Value) != 0 {
		t.Errorf("%+v", got.Labels)
	}
}

func TestPatchesAreChecked(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for body, want := range map[string]string{
		`{"name":null}`:                           "/name type", // nothing that null could clear
		`{"name":"a"}`:                            "/name too_short",
		`{"name":"a\u0000bc"}`:                    "/name characters",
		`{"Name":"abc"}`:                          "/Name unknown",
		`{"version":2}`:                           "/version unknown",
		`{"owner_id":"me"}`:                       "/owner_id format",
		`{"labels":null}`:                         "/labels type",
		`{"labels":["a","b","c"]}`:                "/labels too_long",
		`{"labels":["abcdef"]}`:                   "/labels/0 too_long",
		`{"config":{"to":1}}`:                     "/config/to unknown",
		`{"config":{"from":1}}`:                   "/config/from type",
		`{"description":"123456789012345678901"}`: "/description too_long",
	} {
		p := apitest.WantProblem(t, s.send("PATCH", thingPath, body), 422, domain.CodeValidationFailed)
		if len(p.Errors) != 1 || p.Errors[0].Pointer+" "+p.Errors[0].Code != want {
			t.Errorf("%s: %+v", body, p.Errors)
		}
	}
}
