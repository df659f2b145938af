package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"docket/internal/cli"
	"docket/internal/pgtest"
	"docket/internal/postgres"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A server on a Postgres that may lose acknowledged commits runs, and says why it isn't
// ready.
func TestUnsafePostgres(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	s := serveWith(t, &program{environ: given(db, nil)})
	var logged bool
	for _, entry := range s.logged {
		logged = logged || entry["level"] == "ERROR" && strings.HasPrefix(entry["msg"].(string), "not ready: Postgres may lose") &&
			strings.Contains(entryText(t, entry), `["fsync","full_page_writes","synchronous_commit"]`)
	}
	if !logged {
		t.Errorf("logged %v", s.logged)
	}
	answer, err := http.Get(s.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var problem struct{ Code, Detail string }
	if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil {
		t.Fatal(err)
	}
	want := "not ready: Postgres may lose what it has acknowledged: fsync, full_page_writes, synchronous_commit are off"
	if answer.StatusCode != http.StatusServiceUnavailable || problem.Code != "overloaded" || problem.Detail != want {
		t.Errorf("%s %+v", answer.Status, problem)
	}
	if o := try(t, nil, "health", "--addr", strings.TrimPrefix(s.url, "http://"), "--data-dir", t.TempDir()); o.status != cli.StatusNo ||
		o.stdout != "not ready: "+want+"\n" {
		t.Errorf("health: %d %q", o.status, o.stdout)
	}
	if alive, err := http.Get(s.url + "/healthz"); err != nil || alive.StatusCode != http.StatusOK {
		t.Errorf("it isn't alive: %v", err)
	} else {
		alive.Body.Close()
	}
	if o := s.stop(); o.status != cli.StatusDone {
		t.Errorf("status %d: %s", o.status, o.stderr)
	}

	check := &configCheck{}
	check.database(t.Context(), &database{Owner: db.OwnerURL, Engine: db.EngineURL, API: db.APIURL})
	r := configReport{Checks: check.findings}
	if result, detail := r.found("durability"); result != resultProblem || !strings.Contains(detail, "fsync") {
		t.Errorf("config check: %s %q", result, detail)
	}
	if result, _ := r.found("connections"); result != resultOK {
		t.Errorf("connections: %s", result)
	}
}

func entryText(t *testing.T, entry map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(entry)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// The server is ready as long as Postgres is safe: a setting may change while both run.
func TestDurabilityIsWatched(t *testing.T) {
	t.Parallel()
	db := pgtest.NewDurable(t)
	superuser := strings.Replace(db.OwnerURL, string(postgres.OwnerLogin)+"@", string(postgres.Superuser)+"@", 1)
	p, err := openPools(t.Context(), &database{Engine: db.EngineURL, API: db.APIURL}, "test", 4, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	d := watchDurability(t.Context(), p, slog.New(slog.NewTextHandler(&log, nil)))
	if err := d.stop(t.Context()); err != nil { // from here on the test calls ask
		t.Fatal(err)
	}
	if err := d.check(); err != nil || log.Len() > 0 {
		t.Errorf("at first: %v, logged %s", err, &log)
	}
	for _, pool := range []*pgxpool.Pool{p.Engine, p.Login} {
		execute(t, superuser, `alter role docket_engine_login set synchronous_commit = off`)
		pool.Reset()
		log.Reset()
		d.ask(t.Context())
		d.ask(t.Context())
		var refused *unsafeError
		if err := d.check(); !errors.As(err, &refused) || err.Error() != "Postgres may lose what it has acknowledged: synchronous_commit is off" {
			t.Errorf("a careless login: %v", err)
		}
		if strings.Count(log.String(), "level=ERROR") != 1 || !strings.Contains(log.String(), "synchronous_commit") {
			t.Errorf("logged %s", &log)
		}
		execute(t, superuser, `alter role docket_engine_login reset synchronous_commit`)
		pool.Reset()
		d.ask(t.Context())
		if err := d.check(); err != nil || !strings.Contains(log.String(), "again") {
			t.Errorf("careful again: %v, logged %s", err, &log)
		}
	}
	if err := p.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.ask(t.Context())
	if err := d.check(); err != nil {
		t.Errorf("the last answer must stay when Postgres can't be asked: %v", err)
	}
}

// serve warns of a database without room for its connections. The room is one too few:
// the checks must still get theirs while the server's own end.
func TestFewSlots(t *testing.T) {
	t.Parallel()
	room := connsNeeded() - 1
	db := pgtest.New(t)
	execute(t, db.OwnerURL, fmt.Sprintf(`alter database %s connection limit %d`, db.Name, room))
	s := serve(t, given(db, nil))
	defer s.stop()
	var said bool
	for _, entry := range s.logged {
		said = said || entry["level"] == "WARN" && entry["room"] == float64(room) && entry["needed"] == float64(connsNeeded())
	}
	if !said {
		t.Errorf("logged %v", s.logged)
	}
	s.stop()
	o, r := checked(t, given(db, nil))
	if result, detail := r.found("connections"); o.status != cli.StatusDone || result != resultWarning || !strings.Contains(detail, fmt.Sprintf("room for %d", room)) {
		t.Errorf("status %d, %s %q: %s%s", o.status, result, detail, o.stdout, o.stderr)
	}
}
