package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"docket/internal/apitest"
)

const password = "correct horse battery"

// caller is a client of the API, perhaps with a token.
type caller struct {
	t      *testing.T
	url    string
	id     string
	email  string
	token  string
	tenant string // slug; empty: requests name none
	// document is what exchanges must conform to.
	document *apitest.Document
}

// answer is the response to a request.
type answer struct {
	t      *testing.T
	call   string
	status int
	header http.Header
	body   string
}

func (c caller) send(method, path, body string) *answer {
	c.t.Helper()
	return c.do(c.request(method, path, body))
}

func (c caller) request(method, path, body string) *http.Request {
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
	return req
}

// do sends a request. The test fails if the answer, or a successful request, does not
// conform to the document.
func (c caller) do(req *http.Request) *answer {
	c.t.Helper()
	var sent []byte
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			c.t.Fatal(err)
		}
		if sent, err = io.ReadAll(body); err != nil {
			c.t.Fatal(err)
		}
	}
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer got.Body.Close()
	raw, err := io.ReadAll(got.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.check(apitest.Exchange{Request: req, Sent: sent, Status: got.StatusCode, Header: got.Header, Body: raw})
	return &answer{c.t, req.Method + " " + req.URL.Path, got.StatusCode, got.Header, string(raw)}
}

// check fails the test if an exchange does not conform to the document. It checks equal
// exchanges once: a test that reads during a rebuild repeats them.
func (c caller) check(x apitest.Exchange) {
	c.t.Helper()
	header := x.Header.Clone()
	header.Del("Date")
	key := sha256.Sum256(fmt.Appendf(nil, "%p %s %s %v %q %d %v %q", c.document, x.Request.Method, x.Request.URL, x.Request.Header,
		x.Sent, x.Status, header, x.Body))
	if _, known := conforming.Load(key); known {
		return
	}
	problems := c.document.Disagreements(x)
	for _, p := range problems {
		c.t.Errorf("%s %s: %d isn't as documented: %s\n%s", x.Request.Method, x.Request.URL.Path, x.Status, p, x.Body)
	}
	if len(problems) == 0 {
		conforming.Store(key, true)
	}
}

// conforming has the hashes of the exchanges that conform.
var conforming sync.Map

func (c caller) get(path string) *answer         { c.t.Helper(); return c.send("GET", path, "") }
func (c caller) post(path, body string) *answer  { c.t.Helper(); return c.send("POST", path, body) }
func (c caller) patch(path, body string) *answer { c.t.Helper(); return c.send("PATCH", path, body) }
func (c caller) delete(path string) *answer      { c.t.Helper(); return c.send("DELETE", path, "") }

// in is the caller with requests to a tenant.
func (c caller) in(slug string) caller { c.tenant = slug; return c }

// at is the caller with requests to another server.
func (c caller) at(url string) caller { c.url = url; return c }

// document is the one that docket openapi prints, read once.
var document = sync.OnceValues(func() (*apitest.Document, error) {
	var text bytes.Buffer
	p := &program{stdout: &text, stderr: io.Discard, cutOff: context.Background()}
	p.run(context.Background(), []string{"openapi"})
	return apitest.Read(text.Bytes())
})

// anyone is a caller without a token.
func anyone(t *testing.T, url string) caller {
	t.Helper()
	d, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return caller{t: t, url: url, document: d}
}

// register registers a user and logs in.
func register(t *testing.T, url, name string) caller {
	t.Helper()
	return anyone(t, url).register(name)
}

// register registers a user, in the caller's tenant if it has one, and logs in.
func (c caller) register(name string) caller {
	c.t.Helper()
	c.email = strings.ToLower(name) + "@example.org"
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

// object is a JSON object of names and values.
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
