package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"

	"docket/accounts"
	"docket/internal/cli"
)

// apiKeys makes a service account, uses its key, gives it another and ends it.
func (w *walk) apiKeys() {
	made := w.ann.post("/v1/api-keys", object("name", "CI", "role", "viewer")).want(201)
	service := w.anonymous
	service.token = made.text("key")
	service.get("/v1/projects").want(200)
	service.get("/v1/me").refused(403, "service-account-denied")
	path := "/v1/api-keys/" + made.text("id")
	next := service
	next.token = w.ann.post(path+"/rotate", object("overlap_seconds", 0)).want(200).text("key")
	next.get("/v1/projects").want(200)
	service.get("/v1/projects").refused(401, "unauthenticated")
	if names := w.ann.get("/v1/api-keys").column("name"); len(names) != 1 || names[0] != "CI" {
		w.t.Errorf("service accounts: %v", names)
	}
	w.ann.delete(path).want(204)
	next.get("/v1/projects").refused(401, "unauthenticated")
}

// keys verifies a token as another service would, and adds and ends a key.
func (w *walk) keys() {
	t := w.t
	var set struct{ Keys []accounts.PublicKey }
	response := w.anonymous.get("/.well-known/jwks.json").want(200)
	if err := json.Unmarshal([]byte(response.body), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%s, %v", response.body, err)
	}
	decode := func(text string) []byte {
		t.Helper()
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	signed := w.ann.token[:strings.LastIndex(w.ann.token, ".")]
	var header struct{ Alg, Kid string }
	if err := json.Unmarshal(decode(w.ann.token[:strings.Index(w.ann.token, ".")]), &header); err != nil {
		t.Fatal(err)
	}
	key := set.Keys[0]
	if header.Alg != "EdDSA" || header.Kid != key.ID || !ed25519.Verify(decode(key.X), []byte(signed), decode(w.ann.token[len(signed)+1:])) {
		t.Errorf("the published key %+v doesn't verify the token of %+v", key, header)
	}

	o := w.in.run("keys", "rotate", "--json")
	var added accounts.ManagedKey
	if err := json.Unmarshal([]byte(o.stdout), &added); err != nil || o.status != cli.StatusDone || added.State != accounts.KeyWaits {
		t.Errorf("status %d, %q, %q, %v", o.status, o.stdout, o.stderr, err)
	}
	if o := w.in.run("keys", "list"); !strings.Contains(o.stdout, key.ID+"  signs") || !strings.Contains(o.stdout, added.ID+"  waits") {
		t.Errorf("status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
	if o := w.in.run("keys", "retire", key.ID); o.status != cli.StatusNo || !strings.Contains(o.stderr, "the next key signs from") {
		t.Errorf("status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
	if o := w.in.run("keys", "retire", added.ID); o.status != cli.StatusDone || o.stdout != "retired "+added.ID+"\n" {
		t.Errorf("status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
	w.ann.get("/v1/me").want(200)
}
