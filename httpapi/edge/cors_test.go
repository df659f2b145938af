package edge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func corsSample(t *testing.T) *sample {
	return newSample(t, func(c *Config) {
		c.Origins = Origins{"https://good.example", "http://localhost:3000"}
		c.Proxies = Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	})
}

// Only an origin of the list may read an answer, whatever the answer is.
func TestOrigins(t *testing.T) {
	t.Parallel()
	s := corsSample(t)
	s.respond = func(context.Context) error { panic("ouch") }
	for origin, allowed := range map[string]bool{
		"https://good.example": true, "http://localhost:3000": true,
		"": false, "null": false, "*": false, "http://good.example": false, "https://good.example:443": false, "https://good.example:8443": false,
		"https://good.example.evil.example": false, "https://evilgood.example": false, "https://a.good.example": false, "https://good.exampl": false,
		"https://good.example/": false, "HTTPS://good.example": false, "https://GOOD.example": false, "https://good.example https://evil.example": false,
		"https://good.example, https://evil.example": false, "http://localhost": false, "http://localhost:30001": false,
	} {
		for _, rec := range []*httptest.ResponseRecorder{
			s.send("GET", "/v1/things", "", "Origin", origin), s.send("GET", "/nowhere", "", "Origin", origin), s.send("PUT", "/v1/things", "", "Origin", origin),
			s.send("POST", "/v1/things", "{", "Origin", origin), s.send("GET", thingPath, "", "Origin", origin), s.send("GET", "/docs/swagger-ui.css", "", "Origin", origin),
			s.send("OPTIONS", thingPath, "", "Origin", origin, "Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "authorization"),
		} {
			h := rec.Header()
			got := h.Values("Access-Control-Allow-Origin")
			if allowed != (len(got) == 1 && got[0] == origin) || !allowed && len(got) > 0 {
				t.Errorf("%q: %d allows %q", origin, rec.Code, got)
			}
			if !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%q: %d %v", origin, rec.Code, h)
			}
		}
	}
	two := s.request("GET", "/v1/things", "")
	two.Header["Origin"] = []string{"https://good.example", "https://evil.example"}
	if got := s.do(two).Header().Get("Access-Control-Allow-Origin"); got != "" {
		t.Error("two origins:", got)
	}
}

// A preflight needs no token, and says what Docket's own headers are.
func TestPreflight(t *testing.T) {
	t.Parallel()
	s := corsSample(t)
	ask := func(origin string) *httptest.ResponseRecorder {
		return s.send("OPTIONS", thingPath, "", "Origin", origin, "Access-Control-Request-Method", "PATCH", "Access-Control-Request-Headers", "if-match")
	}
	rec := ask("https://good.example")
	h := rec.Header()
	if rec.Code != 204 || rec.Body.Len() > 0 || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "PATCH") ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "If-Match") || strings.Contains(h.Get("Access-Control-Allow-Headers"), "*") {
		t.Error(rec.Code, h)
	}
	if rec := ask("https://evil.example"); rec.Code != 405 || rec.Header().Get("Access-Control-Allow-Methods") != "" {
		t.Error(rec.Code, rec.Header())
	}
	if rec := s.send("OPTIONS", thingPath, "", "Origin", "https://good.example"); rec.Code != 405 {
		t.Error("no preflight:", rec.Code)
	}
	if got := s.send("GET", "/v1/things", "", "Origin", "https://good.example").Header().Get("Access-Control-Expose-Headers"); !strings.Contains(got, "Docket-Seq") || !strings.Contains(got, "ETag") {
		t.Error(got)
	}
	none := newSample(t)
	if h := none.send("GET", "/v1/things", "", "Origin", "https://good.example").Header(); h.Get("Access-Control-Allow-Origin") != "" || h.Get("Vary") != "" {
		t.Error("without a list:", h)
	}
}

func TestParseOrigins(t *testing.T) {
	t.Parallel()
	if got, err := ParseOrigins([]string{"https://a.example", " http://localhost:3000", "https://[::1]:8443"}); err != nil || len(got) != 3 {
		t.Error(got, err)
	}
	for _, bad := range []string{
		"*", "null", "", "a.example", "https://", "https://*.a.example", "https://a.example/", "https://a.example/x", "https://a.example:443", "http://a.example:80",
		"https://a.example:", "HTTPS://a.example", "https://A.example", "https://u@a.example", "https://a.example?x", "https://a.example#x", "file:///x", "https://bücher.example",
	} {
		if got, err := ParseOrigins([]string{bad}); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// Every answer of a real server has the same headers, and tells nothing of what made it.
func TestHeaderMatrix(t *testing.T) {
	t.Parallel()
	s := newSample(t)
	s.respond = func(context.Context) error { panic("ouch") }
	server := httptest.NewServer(s)
	defer server.Close()
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/things", "", 200}, {"POST", "/v1/things", `{"name":"abc"}`, 201}, {"POST", thingPath + "/touch", "", 204},
		{"POST", "/v1/things", "{", 400}, {"GET", "/nowhere", "", 404}, {"PUT", "/v1/things", "", 405}, {"TRACE", "/v1/things", "", 405}, {"BREW", "/v1/things", "", 405},
		{"POST", "/v1/things", `{"name":"` + strings.Repeat("x", maxBody) + `"}`, 413}, {"POST", "/v1/things", `{"name":1}`, 422}, {"GET", thingPath, "", 500},
		{"GET", "/problems/not-found", "", 200}, {"GET", "/openapi.json", "", 200}, {"GET", "/docs", "", 200}, {"HEAD", "/v1/things", "", 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.body != "" {
			req.Header.Set("Content-Type", JSONMediaType)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		h := res.Header
		policy := h.Get("Content-Security-Policy")
		if res.StatusCode != c.status || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
			!strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, "frame-ancestors 'none'") || h.Get("Cache-Control") != "no-store" ||
			h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Server") != "" || h.Get("X-Powered-By") != "" || h.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s %s: %d %v", c.method, c.path, res.StatusCode, h)
		}
		if ct := h.Get("Content-Type"); res.StatusCode != 204 && ct != JSONMediaType && ct != problemMediaType && ct != "text/html; charset=utf-8" {
			t.Errorf("%s %s: %s", c.method, c.path, ct)
		}
	}
}

// Only a trusted proxy can say that the client came over TLS.
func TestStrictTransportSecurity(t *testing.T) {
	t.Parallel()
	s := corsSample(t)
	for from, want := range map[string]string{"10.1.2.3:99": "max-age=31536000", "192.0.2.1:99": ""} {
		for proto, want := range map[string]string{"https": want, "http": "", "https,http": "", "": ""} {
			req := s.request("GET", "/v1/things", "", "X-Forwarded-Proto", proto)
			req.RemoteAddr = from
			if got := s.do(req).Header().Get("Strict-Transport-Security"); got != want {
				t.Errorf("%s, %q: %q", from, proto, got)
			}
		}
	}
}
