package main

import (
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
	r := run(t, nil, "http", "--dir", dir, "--docket", theDocket(t), "--lag", "--raw", "--tenants", "2",
		"--connections", "3", "--duration", "400ms", "--warmup", "100ms", "--op", strings.Join(ops, ","))
	tables := r.tables()
	if len(tables["http"]) != len(ops) {
		t.Fatalf("%d runs, want %d", len(tables["http"]), len(ops))
	}
	for _, op := range ops {
		what := op + ", 3 connections"
		run := tables["http"][what]
		positive(t, run, "requests per s", "p50 ms", "p90 ms", "p99 ms", "p999 ms", "raw single per s", "ratio single")
		if run["errors"] != 0 {
			t.Errorf("%s: %v", what, run)
		}
		if runtime.GOOS == "linux" {
			positive(t, run, "server cores", "postgres cores", "postgres ms", "server mb")
		}
		subscriptions := 0
		for of, lag := range tables["lag"] {
			if !strings.HasPrefix(of, what+": ") {
				continue
			}
			subscriptions++
			if writing := slices.Contains([]string{"create-task", opBulk, "transition", opMix}, op); lag["writes"] > 0 != writing {
				t.Errorf("%s: lag %v", of, lag)
			}
		}
		if subscriptions < 4 {
			t.Errorf("%s: %d subscriptions", what, subscriptions)
		}
	}
	positive(t, tables["bulk"]["3 connections"], "single tasks per s", "bulk tasks per s", "ratio")
	if !strings.Contains(r.stderr, "fsync on") {
		t.Errorf("Postgres: %s", r.stderr)
	}
	wantsEmpty(t, dir)
}

// TestHTTPBeforeAndHalf compares two programs, and measures the lag at half of the rate.
func TestHTTPBeforeAndHalf(t *testing.T) {
	t.Parallel()
	dir, docket := pgtest.TempDir(t), theDocket(t)
	tables := run(t, nil, "http", "--dir", dir, "--docket", docket, "--before", docket, "--half", "--tenants", "1",
		"--connections", "2", "--duration", "400ms", "--rounds", "2", "--warmup", "100ms", "--op", "create-task").tables()
	const what = "create-task, 2 connections"
	for _, name := range []string{what, what + ", before", what + ", ratio to before", what + ", at half of that rate"} {
		positive(t, tables["http"][name], "requests per s", "p50 ms", "postgres ms", "transactions")
	}
	if lag := tables["lag"][what+", at half of that rate: tasks"]; lag["writes"] == 0 || lag["p99 ms"] == 0 {
		t.Errorf("lag %v", tables["lag"])
	}
	wantsEmpty(t, dir)
}

// TestHTTPBesideRebuilds measures a second time while read models are rebuilt.
func TestHTTPBesideRebuilds(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	tables := run(t, nil, "http", "--dir", dir, "--docket", theDocket(t), "--lag", "--tenants", "1",
		"--connections", "2", "--rate", "20", "--duration", "2s", "--warmup", "200ms", "--op", "create-task", "--rebuild", "600").tables()
	for _, what := range []string{"create-task, 2 connections", "create-task, 2 connections, beside rebuilds"} {
		run, lag := tables["http"][what], tables["lag"][what+": tasks"]
		if run["errors"] != 0 || lag["writes"] == 0 || run["requests per s"] > 25 {
			t.Errorf("%s: %v, lag %v", what, run, lag)
		}
	}
	// Whether a rebuild ends in that time depends on the machine.
	positive(t, tables["rebuilds"]["create-task, 2 connections, beside rebuilds"], "p99 ms alone", "p99 ms beside", "ratio", "peak mb")
	wantsEmpty(t, dir)
}

func TestServerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	d := docket{path: theDocket(t), dir: pgtest.TempDir(t), environ: []string{"DOCKET_DATA_DIR=" + pgtest.TempDir(t), "DOCKET_MASTER_KEY=too short", "PATH=" + os.Getenv("PATH")}}
	server, err := d.serve(t.Context())
	if err == nil {
		t.Fatal("it started", server.stop(t.Context()))
	}
	if !strings.Contains(err.Error(), "before it was ready") || !strings.Contains(err.Error(), "DOCKET_MASTER_KEY") {
		t.Errorf("error %v", err)
	}
}

func TestNothingListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if _, err := createTenants(t.Context(), addr, 1, 1); err == nil || !strings.Contains(err.Error(), "create the tenants: network") {
		t.Errorf("error %v", err)
	}
}

// TestRebuild measures the subscriptions' catch-up and a rebuild of one read model.
func TestRebuild(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	tables := run(t, nil, "rebuild", "--dir", dir, "--docket", theDocket(t), "--events", "1200", "--tenants", "2", "--rounds", "1",
		"--projection", "tasks", "--catch-up").tables()
	positive(t, tables["rebuild"]["--workers 2 --projection tasks --full-speed"], "events per s", "read events per s")
	positive(t, tables["catch-up"]["all subscriptions"], "events per s", "peak mb")
	wantsEmpty(t, dir)
}
