package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/internal/apitest"
)

// The names and values of the contract, as clients write them.
const (
	tenantIDHeader    = "X-Tenant-ID"
	tenantSlugHeader  = "X-Tenant-Slug"
	requestIDHeader   = "X-Request-ID"
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
	problemMediaType  = "application/problem+json"
	patchMediaType    = "application/merge-patch+json"
	asOfParameter     = "as_of"
	minSeqParameter   = "min_seq"
	defaultSlug       = "default"
	maxBody           = 1 << 20
	tokenLifetime     = 15 * time.Minute
)

// problemStatuses are the statuses of the codes, as GET /problems lists them.
var problemStatuses = sync.OnceValue(func() map[domain.Code]int {
	s, err := New(Config{MasterKey: make([]byte, 32)})
	if err != nil {
		panic(err)
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/problems", nil))
	var all struct {
		Items []struct {
			Code   domain.Code
			Status int
		}
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &all); err != nil {
		panic(err)
	}
	statuses := map[domain.Code]int{}
	for _, kind := range all.Items {
		statuses[kind.Code] = kind.Status
	}
	return statuses
})

// answer is what came back, held against the contract when it came.
type answer struct {
	*httptest.ResponseRecorder
	w    *world
	call string // method and target
}

func (p person) get(target string, header ...string) *answer {
	return p.send(http.MethodGet, target, "", header...)
}

func (p person) post(target, body string, header ...string) *answer {
	return p.send(http.MethodPost, target, body, header...)
}

func (p person) patch(target, body string, header ...string) *answer {
	return p.send(http.MethodPatch, target, body, header...)
}

func (p person) delete(target string, header ...string) *answer {
	return p.send(http.MethodDelete, target, "", header...)
}

// send makes a request, as from the machine itself. header is name, value,
// name, value …, which come after, and in place of, what the person always sends.
func (p person) send(method, target, body string, header ...string) *answer {
	return p.do(p.request(method, target, body, header...))
}

func (p person) request(method, target, body string, header ...string) *http.Request {
	var reader io.Reader = http.NoBody
	if body != "" {
		reader = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, target, reader)
	req.RemoteAddr, req.Host = "127.0.0.1:40000", "localhost:8000"
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	for _, list := range [][]string{p.headers, header} {
		for i := 0; i < len(list); i += 2 {
			req.Header.Del(list[i])
			if list[i+1] != "" {
				req.Header.Set(list[i], list[i+1])
			}
		}
	}
	return req
}

// do sends a request as it is.
func (p person) do(req *http.Request) *answer {
	rec := apitest.Send(p.w, p.w.document, p.server, req)
	a := &answer{ResponseRecorder: rec, w: p.w, call: req.Method + " " + req.URL.RequestURI()}
	if all := fmt.Sprint(a.Body, a.Header()); p.mustNotSee != "" && strings.Contains(strings.ToLower(all), p.mustNotSee) {
		a.w.Errorf("%s: %q is none of the caller's business: %s", a.call, p.mustNotSee, all)
	}
	return a
}

// want fails the test unless this is the status.
func (a *answer) want(status int) *answer {
	a.w.Helper()
	if a.Code != status {
		a.w.Fatalf("%s: got %d, want %d: %s", a.call, a.Code, status, a.Body)
	}
	return a
}

// refused fails the test unless this is a whole problem with the code, and with
// the further members of it: name, value, name, value … as JSON.
func (a *answer) refused(code domain.Code, members ...string) apitest.Problem {
	a.w.Helper()
	if wrong := a.isnt(code, members...); wrong != "" {
		a.w.Fatalf("%s: got %d, %s: %s", a.call, a.Code, wrong, a.Body)
	}
	return a.problem()
}

// isnt says what makes the answer another than refused would take, or "".
func (a *answer) isnt(code domain.Code, members ...string) string {
	a.w.Helper()
	if p := a.problem(); p.Code != string(code) {
		return "want " + string(code)
	}
	apitest.WantProblem(a.w, a.ResponseRecorder, problemStatuses()[code], code)
	var all map[string]json.RawMessage
	a.decode(&all)
	for i := 0; i < len(members); i += 2 {
		if got := string(all[members[i]]); got != members[i+1] {
			return "want " + string(code) + " with " + members[i] + " " + members[i+1]
		}
	}
	return ""
}

// invalid fails the test unless the request was refused for these fields, each
// given as pointer, space, code.
func (a *answer) invalid(fields ...string) {
	a.w.Helper()
	var got []string
	for _, e := range a.refused(domain.CodeValidationFailed).Errors {
		got = append(got, e.Pointer+" "+e.Code)
	}
	if strings.Join(got, ", ") != strings.Join(fields, ", ") {
		a.w.Fatalf("%s: got %v, want %v", a.call, got, fields)
	}
}

// problem is the body where it is a problem; else its code is empty.
func (a *answer) problem() apitest.Problem {
	var p apitest.Problem
	if a.Header().Get("Content-Type") == problemMediaType {
		a.decode(&p)
	}
	return p
}

// anonymous is the body without what differs from one request to the next.
func (a *answer) anonymous() string {
	return strings.ReplaceAll(a.Body.String(), a.Header().Get(requestIDHeader), "")
}

func (a *answer) decode(v any) {
	a.w.Helper()
	if err := json.Unmarshal(a.Body.Bytes(), v); err != nil {
		a.w.Fatalf("%s: %v: %s", a.call, err, a.Body)
	}
}

// seq is the Docket-Seq header; it must be there.
func (a *answer) seq() int64 {
	a.w.Helper()
	seq, err := strconv.ParseInt(a.Header().Get("Docket-Seq"), 10, 64)
	if err != nil || seq < 1 {
		a.w.Fatalf("%s: Docket-Seq %q", a.call, a.Header().Get("Docket-Seq"))
	}
	return seq
}

// as is the body as one of the API's own types.
func as[T any](a *answer) T {
	a.w.Helper()
	var v T
	a.decode(&v)
	return v
}

// items is a list's page.
func items[T any](a *answer) []T {
	a.w.Helper()
	return as[edge.List[T]](a.want(200)).Items
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
