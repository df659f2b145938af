package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"docket/domain"
	"docket/internal/apitest"
)

// domainCodes reads the codes from the domain's source: nothing else can tell
// that a new one is missing from the table.
func domainCodes(t *testing.T) []domain.Code {
	file, err := parser.ParseFile(token.NewFileSet(), "../../domain/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []domain.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Code" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, domain.Code(text))
		}
		return true
	})
	if len(codes) < 30 {
		t.Fatalf("only %d codes found", len(codes))
	}
	return codes
}

func TestEveryCodeIsInTheTable(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	codes := domainCodes(t)
	for _, code := range codes {
		kind, ok := problemKinds[code]
		if !ok || kind.Title == "" || kind.Explanation == "" || http.StatusText(kind.Status) == "" {
			t.Errorf("%s: %+v", code, kind)
		}
		refusal := &domain.Error{Code: code}
		if code == domain.CodeRateLimited { // its headers tell the quota
			refusal = domain.RateLimited(domain.Quota{Name: "user", Requests: 1}, "slowly")
		}
		s.respond = func(context.Context) error { return fmt.Errorf("wrapped: %w", refusal) }
		rec := s.send("GET", thingPath, "")
		p := apitest.WantProblem(t, rec, kind.Status, code)
		if (rec.Header().Get("WWW-Authenticate") != "") != (kind.Status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", code, rec.Header().Get("WWW-Authenticate"))
		}
		if (rec.Header().Get("Retry-After") != "") != (kind.Status == 429 || kind.Status == 503) {
			t.Errorf("%s: Retry-After %q", code, rec.Header().Get("Retry-After"))
		}
		// The type that the problem has leads somewhere.
		if explained := s.send("GET", p.Type, ""); explained.Code != 200 || !strings.Contains(explained.Body.String(), kind.Title) {
			t.Errorf("%s: %d %s", p.Type, explained.Code, explained.Body)
		}
	}
	for code := range problemKinds {
		if !slices.Contains(codes, code) {
			t.Errorf("the domain has no %s", code)
		}
	}
}

func TestProblemMembers(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	s.respond = func(context.Context) error {
		return (&domain.Error{Code: domain.CodeInvalidTransition, Detail: "no"}).With("current_status", domain.Draft).
			With("allowed_transitions", []domain.Status{domain.Submitted}).
			With("status", "a member can't replace a standard one").With("errors", "nor this")
	}
	got := s.send("GET", thingPath, "", "X-Request-ID", "r-1").Body.String()
	want := `{"type":"/problems/invalid-transition","title":"Invalid transition","status":409,"detail":"no",` +
		`"code":"invalid-transition","request_id":"r-1","allowed_transitions":["submitted"],"current_status":"draft"}`
	if got != want && got != want+"\n" {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUnexpectedErrorsTellNothing(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]func(context.Context) error{
		"error":         func(context.Context) error { return errSecret },
		"internal":      func(context.Context) error { return domain.Refuse(domain.CodeInternal, "%v", errSecret) },
		"unknown code":  func(context.Context) error { return domain.Refuse("new-code", "%v", errSecret) },
		"panic":         func(context.Context) error { panic(errSecret) },
		"unmarshalable": func(context.Context) error { return domain.Refuse(domain.CodeNotYours, "x").With("f", func() {}) },
	} {
		s := newSample(t)
		s.respond = respond
		rec := s.send("GET", thingPath, "", "X-Request-ID", "r-7")
		p := apitest.WantProblem(t, rec, 500, domain.CodeInternal)
		if strings.Contains(rec.Body.String(), "SQLSTATE") || len(p.Errors) > 0 || rec.Header().Get("ETag") != "" {
			t.Errorf("%s: %s %v", name, rec.Body, rec.Header())
		}
		want := "secret cause"
		if name == "unmarshalable" {
			want = "func()"
		}
		if log := s.log.String(); !strings.Contains(log, "r-7") || !strings.Contains(log, "ERROR") || !strings.Contains(log, want) {
			t.Errorf("%s: the log can't explain it: %s", name, log)
		}
	}
}

func TestAnswerThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	register(s.Router, Operation{Method: "GET", Path: "/v1/broken", ID: "broken", Summary: "Breaks", Tag: "service", access: public},
		func(context.Context, *struct{}) (*struct{ Body unwritable }, error) {
			return &struct{ Body unwritable }{}, nil
		})
	apitest.WantProblem(t, s.send("GET", "/v1/broken", ""), 500, domain.CodeInternal)
}

// A client must not take the beginning of an answer for the whole.
func TestPanicAfterTheAnswerBegan(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	register(s.Router, Operation{Method: "GET", Path: "/v1/stream", ID: "stream", Summary: "Streams", Tag: "service",
		access: public, Streams: true},
		func(context.Context, *struct{}) (*struct{ Body func(huma.Context) }, error) {
			return &struct{ Body func(huma.Context) }{func(ctx huma.Context) {
				_, _ = ctx.BodyWriter().Write([]byte("half"))
				ctx.BodyWriter().(http.Flusher).Flush()
				panic(errSecret)
			}}, nil
		})
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	defer server.Close()
	res, err := server.Client().Get(server.URL + "/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("read %q to its end", body)
	}
	apitest.WantProblem(t, s.send("HEAD", "/v1/stream", ""), 405, domain.CodeMethodNotAllowed)
}

type unwritable struct {
	F brokenValue `json:"f"`
}

type brokenValue struct{}

func (brokenValue) MarshalText() ([]byte, error) { return nil, errSecret }

func TestExplanations(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	rec := s.send("GET", "/problems", "")
	var list List[problemExplanation]
	if err := json.Unmarshal(rec.Body.Bytes(), &list); err != nil || len(list.Items) != len(problemKinds) {
		t.Error(rec.Code, err, len(list.Items))
	}
	if !slices.IsSortedFunc(list.Items, func(a, b problemExplanation) int { return a.Status - b.Status }) {
		t.Error("not in the order of the statuses")
	}
	html := s.send("GET", "/problems/not-found", "", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if html.Code != 200 || html.Header().Get("Content-Type") != "text/html; charset=utf-8" ||
		!strings.Contains(html.Body.String(), "<h2 id=\"not-found\">") {
		t.Error(html.Code, html.Header(), html.Body)
	}
	apitest.WantProblem(t, s.send("GET", "/problems/nonsense", ""), 404, domain.CodeNotFound)
}

func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	s.send("POST", "/v1/things?token=canary1", `{"name":"canary2"}`, "Authorization", "Bearer canary3", "User-Agent", "canary4")
	s.send("GET", "/nowhere/canary5", "")
	s.send("CANARY6", "/nowhere", "")
	if log := s.log.String(); strings.Contains(strings.ToLower(log), "canary") {
		t.Error(log)
	}
	var line struct {
		Method, Route, Msg string
		Status             int
		RequestID          string  `json:"request_id"`
		Duration           float64 `json:"duration_ms"`
	}
	first, _, _ := strings.Cut(s.log.String(), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatal(err)
	}
	if line.Method != "POST" || line.Route != "/v1/things" || line.Status != 400 || line.RequestID == "" || line.Duration <= 0 {
		t.Errorf("%+v", line)
	}
	if n := strings.Count(s.log.String(), "\n"); n != 3 {
		t.Errorf("%d lines for 3 requests", n)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	for id, taken := range map[string]bool{
		"abc-123": true, strings.Repeat("x", 128): true, "": false, strings.Repeat("x", 129): false,
		"with space": false, "ünïcode": false, "tab\there": false, "\x7f": false,
	} {
		got := s.send("GET", "/v1/things", "", "X-Request-ID", id).Header().Values("X-Request-ID")
		if len(got) != 1 || (got[0] == id) != taken || got[0] == "" {
			t.Errorf("%q became %q", id, got)
		}
	}
}

// A statement that Postgres cancelled because the request's context ended has an error of
// its own, which is no failure of the server.
func TestProblemOfARequestThatEnded(t *testing.T) {
	t.Parallel()
	var logged strings.Builder
	r := &Router{log: slog.New(slog.NewTextHandler(&logged, nil))}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	cancelled := errors.New("canceling statement due to user request")
	if p := r.problem(ended, cancelled); p.Code != domain.CodeOverloaded || logged.Len() > 0 {
		t.Errorf("%v; logged %q", p, logged.String())
	}
	if p := r.problem(ended, domain.NotFound("task")); p.Code != domain.CodeNotFound {
		t.Errorf("a refusal: %v", p)
	}
	if p := r.problem(t.Context(), cancelled); p.Code != domain.CodeInternal || logged.Len() == 0 {
		t.Errorf("while the request goes on: %v; logged %q", p, logged.String())
	}
}
