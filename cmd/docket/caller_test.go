package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

const password = "correct horse battery"

// caller is somebody who uses the API over HTTP, perhaps with a token.
type caller struct {
	t      *testing.T
	url    string
	id     string
	email  string
	token  string
	tenant string // slug; empty: none is named
}

// answer is what came back.
type answer struct {
	t      *testing.T
	call   string
	status int
	header http.Header
	body   string
}

func (c caller) send(method, path, body string) *answer {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.tenant != "" {
		req.Header.Set("X-Tenant-Slug", c.tenant)
	}
	return c.do(req)
}

func (c caller) do(req *http.Request) *answer {
	c.t.Helper()
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer got.Body.Close()
	raw, err := io.ReadAll(got.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return &answer{c.t, req.Method + " " + req.URL.Path, got.StatusCode, got.Header, string(raw)}
}

func (c caller) get(path string) *answer         { c.t.Helper(); return c.send("GET", path, "") }
func (c caller) post(path, body string) *answer  { c.t.Helper(); return c.send("POST", path, body) }
func (c caller) patch(path, body string) *answer { c.t.Helper(); return c.send("PATCH", path, body) }
func (c caller) delete(path string) *answer      { c.t.Helper(); return c.send("DELETE", path, "") }

// in is the caller in a tenant.
func (c caller) in(slug string) caller { c.tenant = slug; return c }

// at is the caller at another server.
func (c caller) at(url string) caller { c.url = url; return c }

// anyone is a caller without a token.
func anyone(t *testing.T, url string) caller { return caller{t: t, url: url} }

// register makes a user, in the tenant that the caller named if any, and logs in.
func register(t *testing.T, url, name string) caller {
	t.Helper()
	c := caller{t: t, url: url, email: strings.ToLower(name) + "@example.org"}
	c.id = c.post("/v1/auth/register", object("email", c.email, "password", password, "name", name)).want(201).text("id")
	return c.login()
}

func (c caller) login() caller {
	c.t.Helper()
	c.token = c.post("/v1/auth/login", object("email", c.email, "password", password)).want(200).text("access_token")
	return c
}

// want fails the test unless this is the status.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d: %s", a.call, a.status, status, a.body)
	}
	return a
}

// refused fails the test unless this is a problem with the status and the code.
func (a *answer) refused(status int, code string) {
	a.t.Helper()
	if got := a.want(status).text("code"); got != code || a.header.Get("Content-Type") != "application/problem+json" {
		a.t.Fatalf("%s: code %q in %s, want %q", a.call, got, a.header.Get("Content-Type"), code)
	}
}

// object is a body's JSON of names and values.
func object(pairs ...any) string {
	o := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		o[pairs[i].(string)] = pairs[i+1]
	}
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func (a *answer) decode() map[string]any {
	a.t.Helper()
	var o map[string]any
	d := json.NewDecoder(bytes.NewReader([]byte(a.body)))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		a.t.Fatalf("%s: %v: %s", a.call, err, a.body)
	}
	return o
}

// text is a member of the body as text, null being empty.
func (a *answer) text(member string) string {
	a.t.Helper()
	v, ok := a.decode()[member]
	if !ok {
		a.t.Fatalf("%s: no member %q: %s", a.call, member, a.body)
	}
	return text(v)
}

// items are the items of a list, each with its members.
func (a *answer) items() []map[string]any {
	a.t.Helper()
	list, ok := a.want(200).decode()["items"].([]any)
	if !ok {
		a.t.Fatalf("%s: no items: %s", a.call, a.body)
	}
	items := make([]map[string]any, len(list))
	for i, v := range list {
		items[i] = v.(map[string]any)
	}
	return items
}

// column is one member of all items of a list.
func (a *answer) column(member string) []string {
	a.t.Helper()
	var values []string
	for _, item := range a.items() {
		values = append(values, text(item[member]))
	}
	return values
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
