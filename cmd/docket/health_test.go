package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"docket/internal/cli"
	"docket/internal/pgtest"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	s := serve(t, given(pgtest.New(t), nil))
	at := strings.TrimPrefix(s.url, "http://")
	if o := try(t, nil, "health", "--addr", at, "--data-dir", t.TempDir()); o.status != cli.StatusDone || o.stdout != "ready\n" || o.stderr != "" {
		t.Errorf("status %d, %q, %q", o.status, o.stdout, o.stderr)
	}
	var h health
	o := try(t, nil, "health", "--addr", at, "--data-dir", t.TempDir(), "--json")
	if err := json.Unmarshal([]byte(o.stdout), &h); err != nil || !h.Ready || h.URL != s.url+"/readyz" || o.status != cli.StatusDone {
		t.Errorf("status %d, %q, %v", o.status, o.stdout, err)
	}
	s.stop()
	try(t, nil, "health", "--addr", at, "--data-dir", t.TempDir()).refused(t, "no server answers")
}

func TestHealthOfOneThatIsNotReady(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"detail":"starting or\u001b[31m stopping"}`: "starting or [31m stopping",
		`{"detail":""}`: "503 Service Unavailable",
		`<html>`:        "503 Service Unavailable",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(body))
		}))
		args := []string{"health", "--data-dir", t.TempDir(), "--addr", strings.TrimPrefix(server.URL, "http://")}
		if o := try(t, nil, args...); o.status != cli.StatusNo || o.stdout != "not ready: "+want+"\n" || o.stderr != "" {
			t.Errorf("%s: status %d, %q, %q", body, o.status, o.stdout, o.stderr)
		}
		var h health
		o := try(t, nil, append(args, "--json")...)
		if err := json.Unmarshal([]byte(o.stdout), &h); err != nil || h.Ready || h.Detail == "" || o.status != cli.StatusNo {
			t.Errorf("%s: status %d, %q", body, o.status, o.stdout)
		}
		server.Close()
	}
}
