package main

import (
	"testing"

	"docket/internal/pgtest"
)

// The quota of a user is apart from that of the tenant, and a stranger uses up neither.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := serve(t, given(pgtest.New(t), map[string]string{
		"DOCKET_REQUESTS_PER_USER": "1", "DOCKET_REQUESTS_PER_TENANT": "2", "DOCKET_TRUSTED_PROXIES": "127.0.0.1",
	}))
	ann, bob, eve := register(t, s.url, "Ann"), register(t, s.url, "Bob"), register(t, s.url, "Eve")
	ann.post("/v1/tenants", object("name", "Acme", "slug", "acme")).want(201)
	ann, eve = ann.in("acme"), eve.in("acme")
	ann.post("/v1/members", object("email", bob.email, "role", "viewer")).want(201)
	bob = bob.in("acme")

	refused := func(c caller, quota string) {
		t.Helper()
		var last *answer
		for range 40 {
			if last = c.get("/v1/projects"); last.status == 429 {
				break
			}
		}
		last.refused(429, "rate-limited")
		want := `"` + quota + `";`
		if got := last.header.Get("RateLimit"); len(got) < len(want) || got[:len(want)] != want || last.header.Get("Retry-After") == "" {
			t.Errorf("RateLimit %q, Retry-After %q, want %s", got, last.header.Get("Retry-After"), quota)
		}
	}
	refused(eve, "user") // none of them was let in
	bob.get("/v1/projects").want(200)
	refused(ann, "user")
	// Before anything else but the token: the tenant, the path and the shape.
	ann.in("there-is-none").get("/v1/projects?unknown=1").refused(429, "rate-limited")
	stranger := ann
	stranger.token = "none"
	stranger.get("/v1/projects").refused(401, "unauthenticated")
	ann.get("/healthz").want(200)

	// Guesses at an account end, at its own address or none.
	guess := func(email, address string) *answer {
		t.Helper()
		req := anyone(t, s.url).request("POST", "/v1/auth/login", object("email", email, "password", password+"x"))
		req.Header.Set("X-Forwarded-For", address)
		return anyone(t, s.url).do(req)
	}
	for _, email := range []string{ann.email, "none@example.org"} {
		for range 5 {
			guess(email, "198.51.100.1").refused(401, "unauthenticated")
		}
		last := guess(email, "198.51.100.1")
		last.refused(429, "rate-limited")
		if got := last.header.Get("RateLimit-Policy"); got != `"login";q=5;w=900` {
			t.Errorf("RateLimit-Policy %q", got)
		}
		guess(email, "198.51.100.2").refused(401, "unauthenticated")
	}
	ann.login()
}
