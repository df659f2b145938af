package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/pgtest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// on are the settings of a run on a test's database.
func on(db *pgtest.DB) map[string]string {
	return map[string]string{
		"DATABASE_URL": db.EngineURL, "DOCKET_OWNER_DATABASE_URL": db.OwnerURL, "DOCKET_API_DATABASE_URL": db.APIURL,
	}
}

// short is long enough for a slow machine to get something done.
var short = []string{"append", "--writers", "4", "--tenants", "2", "--duration", "500ms", "--warmup", "100ms", "--rounds", "1"}

func TestAppend(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	r := run(t, on(db), short...)
	rows := r.tables()["append"]
	row := rows["4 writers of 2 tenants"]
	positive(t, row, "appends per s", "p50 ms", "p90 ms", "p99 ms", "raw single per s", "ratio single")
	if len(rows) != 1 || row["errors"] != 0 {
		t.Errorf("got %v", rows)
	}
	if !strings.Contains(r.stderr, "fsync off") || !strings.Contains(r.stderr, "WARNING: this Postgres is not durable") {
		t.Errorf("no warning of a test's Postgres: %s", r.stderr)
	}
	// The appended events are really there: the members, and tasks of several events.
	wantsDenseLogs(t, db, 2)
	var table *string
	if err := db.Owner(t).QueryRow(t.Context(), `select to_regclass('docketbench_raw')::text`).Scan(&table); err != nil || table != nil {
		t.Errorf("the raw table was left: %v, %v", table, err)
	}
}

// The corpus writes what the store can read, and what folds.
func TestCorpusFillsLogs(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d := &database{Owner: db.OwnerURL, Engine: db.EngineURL}
	ids := newTenants(5)
	if err := newCorpus().fill(t.Context(), d, ids, 41); err != nil {
		t.Fatal(err)
	}
	small := newTenants(1)
	if err := newCorpus().fill(t.Context(), d, small, 2); err != nil {
		t.Fatal(err)
	}
	if err := newCorpus().extend(t.Context(), d, small[0], 500); err != nil {
		t.Fatal(err)
	}
	wantsDenseLogs(t, db, 6)
	const sql = `select count(*) filter (where n = 41), count(*) filter (where n = 502) from (select count(*) as n from events group by tenant_id) x`
	var filled, extended int
	if err := db.Engine(t).QueryRow(t.Context(), sql).Scan(&filled, &extended); err != nil || filled != 5 || extended != 1 {
		t.Errorf("%d tenants were filled, %d extended, %v", filled, extended, err)
	}
	rows, err := db.Engine(t).Query(t.Context(), `select `+eventstore.Columns+` from events where stream_type = 'task' order by tenant_id, seq`)
	if err != nil {
		t.Fatal(err)
	}
	events, err := pgx.CollectRows(rows, eventstore.Scan)
	if err != nil || len(events) < 5*30 {
		t.Fatalf("%d events of tasks, %v", len(events), err)
	}
	tasks := map[domain.StreamID]domain.Task{}
	for _, e := range events {
		task, err := tasks[e.Stream].Evolve(e)
		if err != nil || task.ID.UUID() != e.Stream.ID || task.Version != e.Version {
			t.Fatalf("%+v gives %+v, %v", e, task, err)
		}
		tasks[e.Stream] = task
	}
}

// wantsDenseLogs fails unless so many tenants have logs, without gaps in seq or
// version.
func wantsDenseLogs(t *testing.T, db *pgtest.DB, tenants int) {
	t.Helper()
	const sql = `
select count(distinct l.tenant_id),
  (select count(*) from (select 1 from events group by tenant_id having max(seq) <> count(*)) x),
  (select count(*) from (select 1 from events group by tenant_id, stream_id having max(version) <> count(*) or max(version) > 10) x)
from events l`
	var logs, gaps, streams int
	if err := db.Engine(t).QueryRow(t.Context(), sql).Scan(&logs, &gaps, &streams); err != nil {
		t.Fatal(err)
	}
	if logs != tenants || gaps != 0 || streams != 0 {
		t.Errorf("%d logs, want %d; gaps in %d logs and %d streams", logs, tenants, gaps, streams)
	}
}

// A run in which appends fail is reported, but doesn't succeed.
func TestAppendsThatFail(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if _, err := db.Owner(t).Exec(t.Context(), `alter table events add constraint refused check (type <> 'task.updated')`); err != nil {
		t.Fatal(err)
	}
	r := run(t, on(db), short...)
	if row := r.printed()["append"]["4 writers of 2 tenants"]; row["errors"] == 0 || !strings.Contains(r.stdout, "\nFailed: ") {
		t.Errorf("no errors: %s", r.stdout)
	}
	if r.status != statusFailures || !strings.Contains(r.stderr, "some operations failed") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}

// TestAppendOnAPrivatePostgres leaves nothing behind.
func TestAppendOnAPrivatePostgres(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	r := run(t, nil, append(short, "--dir", dir)...)
	if r.tables()["append"]["4 writers of 2 tenants"]["errors"] != 0 {
		t.Errorf("got %s", r.stdout)
	}
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if !strings.Contains(r.stderr, setting+" on") {
			t.Errorf("%s isn't on: %s", setting, r.stderr)
		}
	}
	wantsEmpty(t, dir)
}

// TestInterrupted stops a run that is under way, as Ctrl-C does.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := runUntil(ctx, t, nil, func(s string) {
		if strings.HasPrefix(s, "round 1") {
			cancel()
		}
	}, append(short, "--dir", dir, "--rounds", "100", "--duration", "10s")...)
	if r.status != statusCouldNot || !strings.HasSuffix(r.stderr, "docketbench: interrupted\n") || r.stdout != "" {
		t.Errorf("status %d: %s%s", r.status, r.stdout, r.stderr)
	}
	wantsEmpty(t, dir)
}

func wantsEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

// The raw limits are fair only while their rows are as long as the events.
func TestEventsAreOfOneSize(t *testing.T) {
	t.Parallel()
	w := newWriter(nil, newID[domain.TenantID]())
	var sizes []int
	for range taskLength {
		e := w.next()
		w.version++
		_, data, err := domain.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(data))
	}
	for _, n := range sizes {
		if n < 270 || n > 400 || n*100 < sizes[0]*90 || n*100 > sizes[0]*110 {
			t.Errorf("sizes %v", sizes)
		}
	}
}

func TestRawRowsAreEvents(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	d := &database{Owner: db.OwnerURL}
	d.conns = 2 + spareConnections
	raw, err := newRawLog(t.Context(), d, 3)
	if err != nil {
		t.Fatal(err)
	}
	single, err := raw.single(t.Context(), &loadPlan{Duration: 200 * time.Millisecond, Rounds: 1}, 8)
	if err != nil || len(single.Failures) > 0 {
		t.Fatalf("%v, %v", single.Failures, err)
	}
	const sql = `select count(*) > 0, count(distinct tenant_id), bool_and(type = 'task.created') from docketbench_raw`
	var some, created bool
	var tenants int
	owner := db.Owner(t)
	if err := owner.QueryRow(t.Context(), sql).Scan(&some, &tenants, &created); err != nil || !some || tenants < 2 || !created {
		t.Errorf("some %t, of %d tenants, created %t, %v", some, tenants, created, err)
	}
	var data json.RawMessage
	var id uuid.UUID
	if err := owner.QueryRow(t.Context(), `select data, stream_id from docketbench_raw limit 1`).Scan(&data, &id); err != nil || len(data) != len(raw.data) {
		t.Errorf("%d bytes of data, want %d, %v", len(data), len(raw.data), err)
	}
	if err := raw.drop(t.Context()); err != nil {
		t.Error(err)
	}
}
