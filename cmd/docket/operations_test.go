package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"docket/internal/cli"
	"docket/internal/pgtest"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// operationsURL is the operations address that a server has logged.
func (s *serving) operationsURL(t *testing.T) string {
	t.Helper()
	for _, entry := range s.logged {
		if entry["msg"] == "operations" {
			return strings.TrimSuffix(entry["url"].(string), "/metrics")
		}
	}
	t.Fatalf("no operations address in %v", s.logged)
	return ""
}

// scrape reads the metrics at an operations address, by name and labels.
func scrape(t *testing.T, url string) (text string, values map[string]float64) {
	t.Helper()
	text = anyone(t, url).get("/metrics").want(200).body
	values = map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		values[line[:at]] = v
	}
	return text, values
}

// A server's metrics move with its work, follow the rules of Prometheus and are
// documented; the public address has none.
func TestOperations(t *testing.T) {
	t.Parallel()
	s := serve(t, given(pgtest.New(t), map[string]string{"DOCKET_OPS_ADDR": "127.0.0.1:0"}))
	ops := s.operationsURL(t)
	_, before := scrape(t, ops)

	ann := register(t, s.url, "Ann")
	project := ann.post("/v1/projects", object("name", "Site")).want(201).text("id")
	for i := range 5 {
		ann.patch("/v1/projects/"+project, object("name", fmt.Sprint("Site ", i))).want(200)
	}
	ann.get("/v1/projects/" + project).want(200)
	ann.get("/v1/nothing").want(404)
	ann.send("INVENTED", "/v1/projects", "").want(405)
	// Concurrent writers of one project, until one of them has had a conflict.
	await(t, "a conflict", func() bool {
		var writers sync.WaitGroup
		for i := range 8 {
			writers.Go(func() { ann.patch("/v1/projects/"+project, object("description", fmt.Sprint(i))) })
		}
		writers.Wait()
		_, now := scrape(t, ops)
		return now["docket_command_conflicts_total"] > 0
	})

	text, after := scrape(t, ops)
	for _, name := range []string{
		`docket_append_commits_total{outcome="applied"}`, `docket_append_commits_total{outcome="conflict"}`, `docket_append_events_total`,
		`docket_append_batch_commits_count`, `docket_append_wait_seconds_count`, `docket_append_batch_seconds_count`,
		`docket_command_attempts_count`, `docket_command_conflicts_total`, `docket_fold_cache_hits_total`,
		`docket_fold_cache_entries`, `docket_fold_cache_bytes`,
		`docket_http_requests_total{operation="edit-project",status="2xx"}`, `docket_http_requests_total{operation="none",status="4xx"}`,
		`docket_http_request_seconds_count{operation="edit-project"}`, `docket_http_request_seconds_sum{operation="edit-project"}`,
		`docket_pool_acquires_total{pool="append"}`, `docket_pool_acquires_total{pool="read"}`, `go_goroutines`, `process_start_time_seconds`,
	} {
		if after[name] <= before[name] && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") || after[name] == 0 {
			t.Errorf("%s was %v, is %v", name, before[name], after[name])
		}
	}
	if after["docket_ready"] != 1 || after[`docket_pool_connections_limit{pool="feed"}`] != float64(feedConns()) {
		t.Errorf("ready %v, feed %v", after["docket_ready"], after[`docket_pool_connections_limit{pool="feed"}`])
	}
	// Those of the feed come a moment later.
	await(t, "the metrics of the feed", func() bool {
		_, now := scrape(t, ops)
		for _, name := range []string{"pages_total", "events_total", "lag_seconds_count", "page_seconds_count"} {
			if now[`docket_feed_`+name+`{subscription="projects"}`] == 0 {
				return false
			}
		}
		return true
	})
	// No label names a user, a project or a tenant.
	for _, private := range []string{ann.id, project, "default", "example.org", "INVENTED"} {
		if strings.Contains(text, private) {
			t.Errorf("%q is in the metrics", private)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("promlint: %s: %s", p.Metric, p.Text)
	}
	documented(t, text)

	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap"} {
		anyone(t, s.url).get(path).want(404)
		anyone(t, ops).get(path).want(200)
	}
	anyone(t, ops).get("/healthz").want(200)
	anyone(t, ops).get("/readyz").want(200)
	// Of the API it has these two only.
	other, err := http.Get(ops + "/v1/workflow")
	if err != nil {
		t.Fatal(err)
	}
	other.Body.Close()
	if other.StatusCode != http.StatusNotFound {
		t.Errorf("the API is on the operations address: %s", other.Status)
	}
	if o := s.stop(); o.status != cli.StatusDone {
		t.Errorf("status %d: %s", o.status, o.stderr)
	}
	if _, err := http.Get(ops + "/healthz"); err == nil {
		t.Error("it still listens")
	}
}

var metricName = regexp.MustCompile("(?m)^# TYPE (docket_[a-z_]+) ")

// documented compares the metrics of a server with those of docs/operations.md.
func documented(t *testing.T, text string) {
	t.Helper()
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, connections := range []string{fmt.Sprintf("**%d** connections", connsNeeded()), fmt.Sprintf("| `feed` | %d and 1", feedConns())} {
		if !strings.Contains(string(docs), connections) {
			t.Errorf("docs/operations.md doesn't say %q", connections)
		}
	}
	known := map[string]bool{}
	for _, m := range metricName.FindAllStringSubmatch(text, -1) {
		known[m[1]] = true
		if !strings.Contains(string(docs), "`"+m[1]+"`") {
			t.Errorf("%s isn't in docs/operations.md", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`(docket_(?:append|command|fold|feed|http|pool|build|ready)[a-z_]*)`").FindAllStringSubmatch(string(docs), -1) {
		if !known[m[1]] {
			t.Errorf("docs/operations.md has %s, the server hasn't", m[1])
		}
	}
}

// Without the setting there is no operations address; one in use stops the start.
func TestOperationsAddress(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s := serve(t, given(db, nil))
	for _, entry := range s.logged {
		if entry["msg"] == "operations" {
			t.Errorf("logged %v", entry)
		}
	}
	taken := strings.TrimPrefix(s.url, "http://")
	try(t, given(db, map[string]string{"DOCKET_OPS_ADDR": taken}), "serve").refused(t, "another program does; choose another address with DOCKET_OPS_ADDR or --ops-addr")
	s.stop()
	try(t, given(db, nil), "serve", "--ops-addr", "8001").refused(t, "--ops-addr must be host:port")
	try(t, given(db, nil), "serve", "--addr", "127.0.0.1:8001", "--ops-addr", "127.0.0.1:8001").refused(t, "--ops-addr must be another address than DOCKET_ADDR")
}

// The real program is ready on its own Postgres, which keeps acknowledged commits.
func TestOperationsOfTheProgram(t *testing.T) {
	t.Parallel()
	in := newMigratedInstall(t, osUsers(t)[0])
	p := in.serve("--ops-addr", "127.0.0.1:0", "--log-format", "json")
	ops := regexp.MustCompile(`"url":"(http://[^"]+)/metrics"`).FindStringSubmatch(p.began)
	if ops == nil {
		t.Fatalf("no operations address in %s", p.began)
	}
	anyone(t, p.url).get("/readyz").want(200)
	anyone(t, ops[1]).get("/readyz").want(200)
	if _, now := scrape(t, ops[1]); now["docket_ready"] != 1 {
		t.Errorf("ready: %v", now["docket_ready"])
	}
	if strings.Contains(p.began, `"WARN"`) {
		t.Errorf("warned: %s", p.began)
	}
	p.stopped(p.stop(syscall.SIGTERM, false))
}
