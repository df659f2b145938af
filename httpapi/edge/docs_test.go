package edge

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/apitest"
)

func TestDocsPage(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	page := s.send("GET", "/docs", "")
	if page.Code != 200 || page.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatal(page.Code, page.Header())
	}
	policy := page.Header().Values("Content-Security-Policy")
	if len(policy) != 1 || !strings.Contains(policy[0], "default-src 'none'") || !strings.Contains(policy[0], "script-src 'self';") ||
		strings.Contains(policy[0], "unsafe") || strings.Contains(policy[0], "http") {
		t.Error(policy)
	}
	// Everything the page names is on this server, and no script stands in it.
	links := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(links) != 5 {
		t.Fatal(links)
	}
	for _, link := range links {
		rec := s.send("GET", "/"+link[1], "")
		if rec.Code != 200 || rec.Body.Len() == 0 || rec.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d", link[1], rec.Code)
		}
	}
	if regexp.MustCompile(`<script[^>]*>[^<]|<style|style=|onload`).MatchString(page.Body.String()) {
		t.Error("the page has inline code")
	}
	apitest.WantProblem(t, s.send("GET", "/docs/nonsense.js", ""), 404, domain.CodeNotFound)
	apitest.WantProblem(t, s.send("GET", "/docs/..%2fdoc.go", ""), 404, domain.CodeNotFound)
}

func TestDocsAssets(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	get := func(header ...string) *httptest.ResponseRecorder {
		return s.send("GET", "/docs/swagger-ui.css", "", header...)
	}
	zipped, plain := get("Accept-Encoding", "gzip, br"), get()
	if zipped.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Content-Encoding") != "" ||
		zipped.Body.Len() >= plain.Body.Len() || !strings.Contains(plain.Body.String(), ".swagger-ui") {
		t.Error(zipped.Header(), plain.Header())
	}
	if zipped.Header().Get("ETag") == plain.Header().Get("ETag") {
		t.Error("two representations with one ETag")
	}
	if rec := get("Accept-Encoding", "gzip", "If-None-Match", zipped.Header().Get("ETag")); rec.Code != 304 {
		t.Error(rec.Code)
	}
}
