package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"docket/domain"
	"docket/internal/apitest"
)

// The sample operations have one of everything that the edge knows of. Tests go
// through the whole router; what an operation would do stands in sample.

type sampleBody struct {
	Name    string           `json:"name" minLength:"2" maxLength:"10"`
	Kind    string           `json:"kind,omitzero" enum:"a,b" default:"a"`
	Due     *domain.Date     `json:"due_date,omitzero" format:"date"`
	OwnerID *domain.UserID   `json:"owner_id,omitzero" format:"uuid" nullable:"true"`
	Email   string           `json:"email,omitzero" format:"email"`
	Slug    string           `json:"slug,omitzero" pattern:"^[a-z]+$" patternDescription:"lower-case letters"`
	Labels  []string         `json:"labels,omitzero" maxItems:"3" uniqueItems:"true" maxLength:"5"`
	Count   int              `json:"count,omitzero" minimum:"0" maximum:"9"`
	Big     int64            `json:"big,omitzero"`
	Ratio   float64          `json:"ratio,omitzero"`
	Flag    bool             `json:"flag,omitzero"`
	Inner   sampleInner      `json:"inner,omitzero"`
	Free    map[string]any   `json:"free,omitzero"`
	Counts  map[string]int32 `json:"counts,omitzero"`
	Raw     json.RawMessage  `json:"raw,omitzero"`
	Inners  []sampleInner    `json:"inners,omitzero"`
}

type sampleInner struct {
	Dotted string `json:"a.b/c~d,omitzero"`
	Value  int    `json:"value"`
}

type samplePatch struct {
	Name        Patch[string]           `json:"name,omitzero" minLength:"2" maxLength:"10"`
	Description Patch[string]           `json:"description,omitzero" maxLength:"20" nullable:"true"`
	OwnerID     Patch[domain.UserID]    `json:"owner_id,omitzero" format:"uuid" nullable:"true"`
	Labels      Patch[[]string]         `json:"labels,omitzero" maxItems:"2" maxLength:"5"`
	Config      Patch[samplePatchInner] `json:"config,omitzero"`
}

type samplePatchInner struct {
	From Patch[string] `json:"from,omitzero" nullable:"true"`
}

type sampleListInput struct {
	Limit    int      `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Status   string   `query:"status" enum:"open,done"`
	Q        string   `query:"q" maxLength:"10"`
	Owner    string   `query:"owner" format:"uuid"`
	Unread   bool     `query:"unread"`
	Ratio    float64  `query:"ratio"`
	Label    []string `query:"label" maxItems:"2" uniqueItems:"true"`
	KeyGiven string   `header:"Idempotency-Key" maxLength:"8"`
}

// sample is a router with the sample operations, and what they got.
type sample struct {
	*Router
	t       testing.TB
	log     *bytes.Buffer
	posted  *sampleBody
	patched *samplePatch
	listed  *sampleListInput
	ifMatch domain.IfMatch
	id      domain.ProjectID
	respond func(ctx context.Context) error // what GET /v1/things/{id} does
}

func newSample(t testing.TB, change ...func(*Config)) *sample {
	t.Helper()
	return newGatedSample(t, nil, change...)
}

// newGatedSample is a sample whose operations have these gates and no others.
func newGatedSample(t testing.TB, gates []middleware, change ...func(*Config)) *sample {
	t.Helper()
	s := &sample{t: t, log: &bytes.Buffer{}}
	cfg := Config{Logger: slog.New(slog.NewJSONHandler(s.log, nil)), Version: "test"}
	for _, f := range change {
		f(&cfg)
	}
	s.Router = newRouter(cfg)
	s.gates = gates
	register(s.Router, Operation{
		Method: http.MethodPost, Path: "/v1/things", ID: "create-thing", Summary: "Make a thing", Tag: "projects",
		access: public, Status: http.StatusCreated, Errors: []domain.Code{domain.CodeSlugTaken, domain.CodeEmailTaken},
	}, func(_ context.Context, in *struct{ Body sampleBody }) (*struct{ Body sampleBody }, error) {
		s.posted = &in.Body
		return &struct{ Body sampleBody }{in.Body}, nil
	})
	register(s.Router, Operation{
		Method: http.MethodGet, Path: "/v1/things", ID: "list-things", Summary: "List things", Tag: "projects", access: user,
	}, func(_ context.Context, in *sampleListInput) (*struct{ Body map[string][]string }, error) {
		s.listed = in
		return &struct{ Body map[string][]string }{map[string][]string{"items": nil, "b": {}, "a": {}, "c": {}}}, nil
	})
	register(s.Router, Operation{
		Method: http.MethodGet, Path: "/v1/things/{id}", ID: "get-thing", Summary: "Get a thing", Tag: "projects",
		access: tenant, Action: domain.ProjectRead, Errors: slices.Collect(maps.Keys(problemKinds)), // respond may say anything
	}, func(ctx context.Context, in *struct {
		ID domain.ProjectID `path:"id" format:"uuid"`
	}) (*struct {
		ETag string `header:"ETag"`
		Body sampleInner
	}, error) {
		s.id = in.ID
		if s.respond != nil {
			if err := s.respond(ctx); err != nil {
				return nil, err
			}
		}
		return &struct {
			ETag string `header:"ETag"`
			Body sampleInner
		}{ETag(3), sampleInner{Value: 1}}, nil
	})
	register(s.Router, Operation{
		Method: http.MethodPatch, Path: "/v1/things/{id}", ID: "edit-thing", Summary: "Edit a thing", Tag: "projects",
		access: tenant, Action: domain.ProjectEdit,
	}, func(_ context.Context, in *struct {
		ID      domain.ProjectID `path:"id" format:"uuid"`
		IfMatch IfMatch          `header:"If-Match"`
		Body    samplePatch
	}) (*struct{ Body sampleInner }, error) {
		s.patched, s.ifMatch = &in.Body, in.IfMatch.IfMatch
		return &struct{ Body sampleInner }{}, nil
	})
	register(s.Router, Operation{
		Method: http.MethodPost, Path: "/v1/things/{id}/touch", ID: "touch-thing", Summary: "Touch a thing", Tag: "projects",
		access: public,
	}, func(context.Context, *struct {
		ID domain.ProjectID `path:"id" format:"uuid"`
	}) (*struct{}, error) {
		return nil, nil
	})
	return s
}

const thingPath = "/v1/things/018f3a5c-0000-7000-8000-000000000001"

// send makes a request; header is name, value, name, value …
func (s *sample) send(method, target, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	return s.do(s.request(method, target, body, header...))
}

func (s *sample) request(method, target, body string, header ...string) *http.Request {
	var reader io.Reader = http.NoBody
	if body != "" {
		reader = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, target, reader)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	return req
}

// do sends a request as it is, but for a token: the document asks for one, and
// the sample operations have no gate that would look at it.
func (s *sample) do(req *http.Request) *httptest.ResponseRecorder {
	s.t.Helper()
	if req.Header.Get("Authorization") == "" {
		req.Header.Set("Authorization", "Bearer token")
	}
	return apitest.Send(s.t, apitest.Published(s.t, s), s, req)
}

var errSecret = errors.New("secret cause: SQLSTATE 42P01")

var _ huma.API = jsonAPI{}
