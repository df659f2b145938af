package apitest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// documents are the documents that were read, by their text: all servers of a
// version publish the same one, and reading it takes a while.
var documents sync.Map

// Published reads the document that an API publishes, each text once.
func Published(t testing.TB, api interface{ OpenAPI() ([]byte, error) }) *Document {
	t.Helper()
	text, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	read, _ := documents.LoadOrStore(string(text), sync.OnceValues(func() (*Document, error) { return Read(text) }))
	d, err := read.(func() (*Document, error))()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Send sends a request to a handler. It fails the test where the request, if it
// succeeds, or the answer disagrees with the document.
func Send(t testing.TB, d *Document, h http.Handler, req *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	var sent bytes.Buffer
	req.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(req.Body, &sent), req.Body}
	asked := req.Clone(req.Context()) // handlers may change it
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	for _, wrong := range d.Disagreements(Exchange{
		Request: asked, Sent: sent.Bytes(), Status: rec.Code, Header: rec.Header(), Body: rec.Body.Bytes(),
	}) {
		t.Errorf("%s %s: %d disagrees with the document: %s\n%s", asked.Method, asked.URL.RequestURI(), rec.Code, wrong, rec.Body)
	}
	return rec
}

// Problem is a problem as a client reads it.
type Problem struct {
	Type, Title, Detail, Code string
	Status                    int
	RequestID                 string `json:"request_id"`
	Errors                    []FieldError
}

// FieldError is one entry of a problem's errors.
type FieldError struct{ Pointer, Code, Detail string }

// WantProblem fails the test unless rec is a complete problem with this status and
// code.
func WantProblem[C ~string](t testing.TB, rec *httptest.ResponseRecorder, status int, code C) Problem {
	t.Helper()
	var p Problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatalf("not a problem: %d %q", rec.Code, rec.Body)
	}
	if rec.Code != status || p.Status != status || p.Code != string(code) {
		t.Fatalf("got %d %s, want %d %s: %s", rec.Code, p.Code, status, code, rec.Body)
	}
	if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if p.Type != "/problems/"+p.Code || p.Title == "" || p.Detail == "" {
		t.Errorf("incomplete: %s", rec.Body)
	}
	if p.RequestID == "" || p.RequestID != rec.Header().Get("X-Request-ID") {
		t.Errorf("request_id %q, header %q", p.RequestID, rec.Header().Get("X-Request-ID"))
	}
	return p
}
