package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestClient(t *testing.T) {
	t.Parallel()
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = append(seen, strings.Join([]string{r.RemoteAddr, r.Method, r.URL.String(), r.Header.Get("Authorization"),
			r.Header.Get("X-Tenant-ID"), r.Header.Get("Content-Type"), string(body)}, " "))
		switch r.URL.Path {
		case "/made":
			w.Header().Set("Docket-Seq", "17")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"x"}`)
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/bye":
			w.Header().Set("Connection", "close")
		}
	}))
	t.Cleanup(server.Close)
	c := &client{addr: server.Listener.Addr().String()}
	t.Cleanup(c.close)
	as := headers("Authorization: Bearer secret\r\nX-Tenant-ID: acme\r\n")

	a, err := c.do(t.Context(), as, post("/made?a=b", `{"a":1}`, 201))
	if err != nil || a.Seq != 17 || string(a.Body) != `{"id":"x"}` {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := c.do(t.Context(), as, get("/busy")); kindOf(err) != "503" {
		t.Errorf("%v is counted as %q", err, kindOf(err))
	}
	for range 2 {
		if a, err := c.do(t.Context(), "", get("/bye")); err != nil || a.Seq != 0 {
			t.Errorf("%+v, %v", a, err)
		}
	}
	first, rest, _ := strings.Cut(seen[0], " ")
	if rest != `POST /made?a=b Bearer secret acme application/json {"a":1}` {
		t.Errorf("sent %s", rest)
	}
	if !strings.HasPrefix(seen[1], first+" GET /busy") || !strings.HasPrefix(seen[2], first+" GET /bye") {
		t.Errorf("not on one connection: %v", seen)
	}
	if strings.HasPrefix(seen[3], first+" ") {
		t.Errorf("the server closed the connection, but it was used: %v", seen)
	}
	server.Close()
	var f *failure
	if _, err := c.do(t.Context(), as, get("/made")); !errors.As(err, &f) || f.kind != "network" {
		t.Errorf("without a server: %v", err)
	}
}
