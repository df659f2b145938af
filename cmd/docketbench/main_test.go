package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"docket/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// ran is what a run of the program came to.
type ran struct {
	t              *testing.T
	status         int
	stdout, stderr string
}

// run runs the program with the settings that environ has beside our own PATH.
func run(t *testing.T, environ map[string]string, args ...string) ran {
	t.Helper()
	return runUntil(t.Context(), t, environ, nil, args...)
}

// runUntil is run, and tells said of all that goes to standard error.
func runUntil(ctx context.Context, t *testing.T, environ map[string]string, said func(string), args ...string) ran {
	t.Helper()
	var stdout bytes.Buffer
	stderr := &listening{said: said}
	all := map[string]string{}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOCACHE", "GOMODCACHE", "GOPATH", "GOFLAGS"} {
		if v, ok := os.LookupEnv(name); ok {
			all[name] = v
		}
	}
	for k, v := range environ {
		all[k] = v
	}
	p := &program{environ: all, stdout: &stdout, stderr: stderr, atOnce: context.Background()}
	status := p.run(ctx, args)
	return ran{t, status, stdout.String(), stderr.all.String()}
}

// listening is a standard error that somebody listens to.
type listening struct {
	all  bytes.Buffer
	said func(string)
}

func (l *listening) Write(b []byte) (int, error) {
	if l.said != nil {
		l.said(string(b))
	}
	return l.all.Write(b)
}

// report is the JSON object that the program printed, which must have ended well.
func (r ran) report() map[string]any {
	r.t.Helper()
	if r.status != statusDone {
		r.t.Fatalf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		r.t.Fatalf("%v: %s", err, r.stdout)
	}
	return out
}

// positive fails for each of the members that isn't a number above 0.
func positive(t *testing.T, object map[string]any, members ...string) {
	t.Helper()
	for _, m := range members {
		if n, ok := object[m].(float64); !ok || n <= 0 {
			t.Errorf("%s is %v", m, object[m])
		}
	}
}

func TestUsageMistakes(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"nothing":                   "unknown command",
		"append --fast":             "unknown flag",
		"append more":               "unknown command",
		"append --writers none":     "invalid argument",
		"append --writers 0":        "--writers must be",
		"append --writers 100000":   "--writers must be",
		"append --tenants 0":        "--tenants must be",
		"append --duration 0s":      "--duration",
		"append --rounds 0":         "--rounds must be",
		"append --warmup -1s":       "--warmup",
		"append --preload-events 5": "fewer than --preload-tenants",
		"append --preload-events 9 --preload-tenants 9": "fewer than --tenants",
		"append --long-snapshot here":                   "--long-snapshot must be",
		"http --op dance":                               `--op "dance" is none of`,
		"http --mix get-task":                           "--mix",
		"http --mix get-task=0":                         "--mix",
		"http --connections 0":                          "--connections must be",
		"http --tenants 0":                              "--tenants must be",
		"http --rate -1":                                "can't be negative",
		"http --url https://127.0.0.1:1":                "isn't like",
		"http --url http://127.0.0.1:1 --lag":           "need DATABASE_URL",
		"http --url http://127.0.0.1:1 --docket x":      "exclude each other",
		"start --rest 0s":                               "--rest must be",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			r := run(t, nil, strings.Fields(args)...)
			if r.status != statusCouldNot || !strings.Contains(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 || r.stdout != "" {
				t.Errorf("status %d, %q, %q", r.status, r.stdout, r.stderr)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"append", "--help"}, {"http", "--help"}, {"start", "--help"}} {
		if r := run(t, nil, args...); r.status != statusDone || !strings.Contains(r.stdout, "Examples:") {
			t.Errorf("%v: status %d: %s%s", args, r.status, r.stdout, r.stderr)
		}
	}
}
