package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAccept(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	browser := "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, tc := range []struct {
		accept []string
		html   bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"*/*"}, false},
		{[]string{browser}, true},
		{[]string{"text/html"}, true},
		{[]string{"TEXT/HTML ; q=0.5"}, true},
		{[]string{"text/*"}, true},
		{[]string{"text/html;q=0"}, false},
		{[]string{"text/html;q=0, */*"}, false},
		{[]string{"text/html, application/json"}, false},
		{[]string{"text/html;q=0.9, application/json;q=0.8"}, true},
		{[]string{"text/html;q=0.8, application/json"}, false},
		{[]string{"text/html, text/*;q=0"}, true},
		{[]string{"text/html;q=high"}, false},
		{[]string{"text/html;q=NaN"}, false},
		{[]string{"not-text/html-at-all"}, false},
		{[]string{"image/png", "text/html"}, true},
	} {
		req := httptest.NewRequest(http.MethodGet, "/problems", nil)
		req.Header["Accept"] = tc.accept
		rec := s.do(req)
		if html := strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html"); rec.Code != 200 || html != tc.html {
			t.Errorf("%q: %d %s", tc.accept, rec.Code, rec.Header().Get("Content-Type"))
		}
	}
}
