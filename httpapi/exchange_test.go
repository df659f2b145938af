package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"docket/internal/apitest"
)

// documents are those that were read, by their text: all servers of a version
// publish the same one, and reading it takes a while.
var documents sync.Map

func readDocument(t testing.TB, s interface{ OpenAPI() ([]byte, error) }) *apitest.Document {
	t.Helper()
	text, err := s.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	read, _ := documents.LoadOrStore(string(text), sync.OnceValues(func() (*apitest.Document, error) {
		return apitest.Read(text)
	}))
	d, err := read.(func() (*apitest.Document, error))()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// exchange sends a request through the whole router, and fails the test where
// what comes back, or what was taken, isn't as the document says.
func exchange(t testing.TB, d *apitest.Document, h http.Handler, req *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	var sent bytes.Buffer
	req.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(req.Body, &sent), req.Body}
	asked := req.Clone(req.Context()) // handlers may change it
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	for _, wrong := range d.Disagreements(apitest.Exchange{
		Request: asked, Sent: sent.Bytes(), Status: rec.Code, Header: rec.Header(), Body: rec.Body.Bytes(),
	}) {
		t.Errorf("%s %s: %d isn't as documented: %s\n%s", asked.Method, asked.URL.RequestURI(), rec.Code, wrong, rec.Body)
	}
	return rec
}
