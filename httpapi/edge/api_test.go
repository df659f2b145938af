package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"docket/domain"
	"docket/internal/apitest"
)

func TestUnknownPathsAndMethodsAreProblems(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	apitest.WantProblem(t, s.send("GET", "/nowhere", ""), 404, domain.CodeNotFound)
	apitest.WantProblem(t, s.send("GET", "/v1/things/", ""), 404, domain.CodeNotFound)
	apitest.WantProblem(t, s.send("GET", "/V1/things", ""), 404, domain.CodeNotFound)
	apitest.WantProblem(t, s.send("GET", "/v1//things", ""), 404, domain.CodeNotFound)
	apitest.WantProblem(t, s.send("GET", thingPath+"%2Ftouch", ""), 404, domain.CodeNotFound)
	for _, method := range []string{"DELETE", "OPTIONS", "TRACE", "NONSENSE"} {
		rec := s.send(method, "/v1/things", "")
		apitest.WantProblem(t, rec, 405, domain.CodeMethodNotAllowed)
		if allow := rec.Header().Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") {
			t.Errorf("%s: Allow %q", method, allow)
		}
	}
}

func TestPathsOfHumaAreOff(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for _, path := range []string{"/openapi.yaml", "/openapi-3.0.json", "/schemas/SampleBody.json", "/docs/"} {
		apitest.WantProblem(t, s.send("GET", path, ""), 404, domain.CodeNotFound)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	s.respond = func(context.Context) error { panic("ouch") }
	for _, rec := range []*httptest.ResponseRecorder{
		s.send("GET", "/v1/things", ""), s.send("GET", "/nowhere", ""), s.send("PUT", "/v1/things", ""),
		s.send("GET", thingPath, ""), s.send("POST", "/v1/things", "{"), s.send("GET", "/problems", ""),
	} {
		for name, want := range map[string]string{
			"Cache-Control":           "no-store",
			"X-Content-Type-Options":  "nosniff",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
			"Referrer-Policy":         "no-referrer",
		} {
			if got := rec.Header().Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%d: %s %q", rec.Code, name, got)
			}
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newSample(t))
	defer server.Close()
	res, err := server.Client().Head(server.URL + "/v1/things")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || res.ContentLength <= 0 {
		t.Fatal(res.StatusCode, res.ContentLength)
	}
}

func TestOrderOfMiddleware(t *testing.T) {
	t.Parallel()
	var order []string
	gate := func(refusal error) middleware {
		return func(ctx huma.Context, next func(huma.Context)) {
			order = append(order, "gate "+string(operationOf(ctx).Action))
			if refusal != nil {
				writeProblem(humagin.Unwrap(ctx), newProblem(refusal.(*domain.Error), requestIDFrom(ctx.Context())))
				return
			}
			next(ctx)
		}
	}
	s := newGatedSample(t, []middleware{gate(nil)})
	apitest.WantProblem(t, s.send("PATCH", thingPath+"?x=1", "not json"), 400, domain.CodeUnknownParameter)
	if got := strings.Join(order, "; "); got != "gate project.edit" {
		t.Error(got)
	}

	order = nil
	s = newGatedSample(t, []middleware{gate(&domain.Error{Code: domain.CodeUnauthenticated})})
	body := &countingReader{}
	req := httptest.NewRequest("PATCH", thingPath, body)
	rec := s.do(req)
	apitest.WantProblem(t, rec, 401, domain.CodeUnauthenticated)
	if rec.Header().Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
	if len(order) != 1 || body.n != 0 {
		t.Errorf("a stranger's body was read: %v, %d bytes", order, body.n)
	}
}

type countingReader struct{ n int }

func (r *countingReader) Read(b []byte) (int, error) { r.n += len(b); return len(b), nil }

func TestDeadline(t *testing.T) {
	t.Parallel()
	s := newSample(t, func(c *Config) { c.Timeout = time.Millisecond })
	s.respond = func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	rec := s.send("GET", thingPath, "")
	apitest.WantProblem(t, rec, 503, domain.CodeOverloaded)
	if rec.Header().Get("Retry-After") != "1" {
		t.Error("503 without Retry-After")
	}
}

func TestClientGone(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.respond = func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", thingPath, nil).WithContext(ctx))
	if !strings.Contains(s.log.String(), `"status":499`) || strings.Contains(s.log.String(), "ERROR") {
		t.Error(s.log)
	}
}

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	good := Operation{Method: "GET", Path: "/x", ID: "x", Summary: "X", Tag: "service", access: public}
	for name, change := range map[string]func(*Operation){
		"no access":             func(o *Operation) { o.access = "" },
		"tenant without action": func(o *Operation) { o.access = tenant },
		"action without tenant": func(o *Operation) { o.Action = domain.TaskRead },
		"unknown tag":           func(o *Operation) { o.Tag = "misc" },
		"unknown code":          func(o *Operation) { o.Errors = []domain.Code{"nonsense"} },
	} {
		op := good
		change(&op)
		mustPanic(t, name, func() {
			register(newSample(t).Router, op, func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
		})
	}
	mustPanic(t, "an unchecked keyword", func() {
		registerBody[struct {
			N int `json:"n" multipleOf:"3"`
		}](t)
	})
	mustPanic(t, "a patch that is required", func() {
		registerBody[struct {
			Name Patch[string] `json:"name"`
		}](t)
	})
	mustPanic(t, "a patch of an id without format", func() {
		registerBody[struct {
			ID Patch[domain.UserID] `json:"id,omitzero"`
		}](t)
	})
	mustPanic(t, "an id without format, deep inside", func() {
		registerBody[struct {
			Items []struct {
				IDs map[string]struct {
					ID domain.UserID `json:"id"`
				}
			}
		}](t)
	})
	mustPanic(t, "a pointer to an id that isn't nullable", func() {
		registerBody[struct {
			ID *domain.UserID `json:"id" format:"uuid"`
		}](t)
	})
	registerBody[struct {
		ID   *domain.UserID         `json:"id" format:"uuid" nullable:"true"`
		IDs  []domain.UserID        `json:"ids" format:"uuid"`
		Edit Patch[[]domain.UserID] `json:"edit,omitzero" format:"uuid"`
	}](t)
}

func registerBody[B any](t *testing.T) {
	register(newSample(t).Router, Operation{Method: "POST", Path: "/x", ID: "x", Summary: "X", Tag: "service", access: public},
		func(context.Context, *struct{ Body B }) (*struct{}, error) { return nil, nil })
}

func mustPanic(t *testing.T, name string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", name)
		}
	}()
	f()
}

// openAPIOperation is what the tests read of the document.
type openAPIOperation struct {
	Security    []map[string][]string
	Tags        []string
	Action      string `json:"x-docket-action"`
	Access      string `json:"x-docket-access"`
	RequestBody struct {
		Content map[string]any
	}
	Responses map[string]openAPIResponse
}

type openAPIResponse struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]struct {
		Schema map[string]any
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	rec := s.send("GET", "/openapi.json", "")
	var doc struct {
		OpenAPI    string
		Security   []map[string][]string
		Paths      map[string]map[string]json.RawMessage
		Components struct {
			Schemas         map[string]map[string]any
			Responses       map[string]openAPIResponse
			SecuritySchemes map[string]map[string]string
		}
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil || rec.Code != 200 {
		t.Fatal(rec.Code, err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Components.SecuritySchemes["bearer"]["scheme"] != "bearer" {
		t.Error(doc.OpenAPI, doc.Components.SecuritySchemes)
	}
	if strings.Contains(rec.Body.String(), "$schema") {
		t.Error("$schema members in the contract")
	}
	if again := newSample(t).send("GET", "/openapi.json", ""); again.Body.String() != rec.Body.String() {
		t.Error("two routers with the same operations give two documents")
	}

	operation := func(method, path string) (o openAPIOperation) {
		if err := json.Unmarshal(doc.Paths[path][method], &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	edit := operation("patch", "/v1/things/{id}")
	if edit.Access != "" || edit.Action != "project.edit" || edit.Security != nil || len(doc.Security) != 1 {
		t.Errorf("%+v", edit)
	}
	// TestPatch and TestMediaTypes send the other one.
	if len(edit.RequestBody.Content) != 1 || edit.RequestBody.Content["application/json"] == nil {
		t.Error(edit.RequestBody.Content)
	}
	for status, codes := range map[string]string{
		"400": "malformed tenant-invalid tenant-mismatch unknown-parameter", "401": "token-expired unauthenticated",
		"403": "insufficient-role tenant-access-denied", "404": "not-found", "412": "version-conflict",
		"413": "payload-too-large", "415": "unsupported-media-type", "422": "validation-failed",
		"500": "internal", "503": "overloaded",
	} {
		response := doc.Components.Responses[strings.TrimPrefix(edit.Responses[status].Ref, "#/components/responses/")]
		for code := range strings.FieldsSeq(codes) {
			if !strings.Contains(response.Description, "`"+code+"`") {
				t.Errorf("%s doesn't mention %s: %s", status, code, response.Description)
			}
		}
		if response.Content["application/problem+json"].Schema["$ref"] != "#/components/schemas/Problem" {
			t.Errorf("%s: %v", status, response.Content)
		}
	}
	if _, ok := edit.Responses["default"]; ok {
		t.Error("a default response says nothing")
	}
	create := operation("post", "/v1/things")
	if d := doc.Components.Responses[strings.TrimPrefix(create.Responses["409"].Ref, "#/components/responses/")].Description; !strings.Contains(d, "slug-taken") || !strings.Contains(d, "email-taken") {
		t.Error(d)
	}
	if create.Security == nil || len(create.Security) != 0 || create.Responses["401"].Ref != "" || create.Responses["403"].Ref != "" {
		t.Error("a public operation asks for a token")
	}

	// The document has every route but the files of the docs page.
	for _, route := range s.engine.Routes() {
		path := strings.NewReplacer(":id", "{id}", ":code", "{code}").Replace(route.Path)
		if route.Method == http.MethodHead || path == "/docs/:asset" {
			continue
		}
		if _, ok := doc.Paths[path][strings.ToLower(route.Method)]; !ok {
			t.Errorf("%s %s isn't in the document", route.Method, path)
		}
	}

	patch := doc.Components.Schemas["SamplePatch"]
	if patch["required"] != nil || patch["additionalProperties"] != false {
		t.Errorf("%v", patch)
	}
	props := patch["properties"].(map[string]any)
	if got := props["name"].(map[string]any); got["type"] != "string" || got["maxLength"] != 10.0 {
		t.Errorf("%v", got)
	}
	if got := props["owner_id"].(map[string]any); got["format"] != "uuid" || len(got["type"].([]any)) != 2 {
		t.Errorf("%v", got)
	}
}
