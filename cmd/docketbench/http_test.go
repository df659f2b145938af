package main

import (
	"context"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"docket/internal/pgtest"
)

// TestHTTP measures a real server on a private Postgres, every operation and the mix.
func TestHTTP(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	ops := append(operationNames(), opMix)
	r := run(t, map[string]string{"TMPDIR": os.TempDir()}, "http", "--dir", dir, "--json", "--lag", "--raw", "--tenants", "2",
		"--connections", "3", "--duration", "1s", "--warmup", "200ms", "--op", strings.Join(ops, ",")).report()
	runs := r["runs"].([]any)
	if len(runs) != len(ops) {
		t.Fatalf("%d runs, want %d", len(runs), len(ops))
	}
	for i, each := range runs {
		run := each.(map[string]any)
		positive(t, run, "requests_per_s", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "raw_single_per_s", "ratio_single")
		if run["operation"] != ops[i] || run["connections"] != 3.0 || run["errors"] != 0.0 {
			t.Errorf("run %d: %v", i, run)
		}
		if runtime.GOOS == "linux" {
			positive(t, run["cores"].(map[string]any), "client", "server", "postgres")
		}
		lag := run["lag"].(map[string]any)
		writes := lag["writes"].(float64) > 0
		if writing := slices.Contains([]string{"create-task", "transition", opMix}, ops[i]); writes != writing || lag["unseen"] != 0.0 {
			t.Errorf("%s: lag %v", ops[i], lag)
		}
		if subs := lag["by_subscription"].(map[string]any); len(subs) < 4 {
			t.Errorf("%s: subscriptions %v", ops[i], subs)
		}
	}
	if facts := r["postgres"].(map[string]any); facts["fsync"] != "on" || facts["private"] != true {
		t.Errorf("Postgres %v", facts)
	}
	wantsEmpty(t, dir)
}

// TestHTTPBesideRebuilds measures everything a second time while read models are rebuilt.
func TestHTTPBesideRebuilds(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	r := run(t, map[string]string{"TMPDIR": os.TempDir(), "PATH": os.Getenv("PATH")}, "http", "--dir", dir, "--json", "--lag", "--tenants", "1",
		"--connections", "2", "--rate", "20", "--duration", "2s", "--warmup", "200ms", "--op", "create-task", "--rebuild", "600").report()
	runs := r["runs"].([]any)
	if len(runs) != 2 {
		t.Fatalf("%d runs, want 2", len(runs))
	}
	for i, each := range runs {
		run := each.(map[string]any)
		lag := run["lag"].(map[string]any)
		if run["errors"] != 0.0 || lag["unseen"] != 0.0 || lag["writes"] == 0.0 {
			t.Errorf("run %d: %v", i, run)
		}
		// Whether one comes to its end in that time is the machine's business.
		if beside := run["beside_rebuilds"]; i == 0 && beside != nil || i == 1 && beside.(map[string]any)["peak_mb"].(float64) <= 0 {
			t.Errorf("run %d: beside rebuilds %v", i, beside)
		}
	}
	wantsEmpty(t, dir)
}

// TestHTTPAtARate leaves the choice of the server to --url and --docket too.
func TestHTTPAtARate(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	program, err := buildDocket(t.Context(), "", dir)
	if err != nil {
		t.Fatal(err)
	}
	data := pgtest.TempDir(t)
	server, err := startDocket(t.Context(), program, dir, map[string]string{"PATH": os.Getenv("PATH")}, map[string]string{"DOCKET_DATA_DIR": data})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	r := run(t, nil, "http", "--url", "http://"+server.addr, "--rate", "20", "--op", "get-task",
		"--connections", "2", "--tenants", "1", "--duration", "1s", "--warmup", "200ms")
	// The rate is kept, and nothing is known of a server that isn't ours.
	if r.status != statusDone || !strings.Contains(r.stdout, "| get-task | 2 | ") || !strings.Contains(r.stdout, ", 0.00, 0.00, ") {
		t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	program, err := buildDocket(t.Context(), "", dir)
	if err != nil {
		t.Fatal(err)
	}
	server, err := startDocket(t.Context(), program, dir, nil, map[string]string{
		"DOCKET_DATA_DIR": pgtest.TempDir(t), "DOCKET_MASTER_KEY": "too short",
	})
	if err == nil {
		t.Fatal("it started", server.stop(t.Context()))
	}
	if !strings.Contains(err.Error(), "before it was ready") || !strings.Contains(err.Error(), "DOCKET_MASTER_KEY") {
		t.Errorf("error %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	r := run(t, nil, "http", "--url", "http://"+addr)
	if r.status != statusCouldNot || !strings.Contains(r.stderr, "make the tenants: network") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	r := run(t, nil, "start", "--dir", dir, "--tenants", "20", "--rest", "1ms", "--json").report()
	if r["tenants"] != 20.0 {
		t.Errorf("got %v", r)
	}
	positive(t, r, "from_nothing_ms", "again_ms", "stop_ms")
	wantsEmpty(t, dir)
}
