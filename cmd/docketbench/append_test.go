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

// short is a run that is long enough for a slow machine to get something done.
var short = []string{"append", "--writers", "4", "--tenants", "2", "--duration", "1s", "--warmup", "200ms", "--rounds", "1"}

func TestAppend(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	r := run(t, on(db), append(short, "--json")...).report()
	positive(t, r, "ops_per_s", "p50_ms", "p90_ms", "p99_ms", "raw_single_per_s", "raw_batch_rows_per_s",
		"ratio_single", "ratio_batch", "event_bytes")
	if r["writers"] != 4.0 || r["tenants"] != 2.0 || r["duration_s"] != 1.0 || r["errors"] != 0.0 || r["raw_connections"] != 4.0 {
		t.Errorf("got %v", r)
	}
	if facts := r["postgres"].(map[string]any); facts["fsync"] != "off" || facts["private"] != false {
		t.Errorf("a test's Postgres: %v", facts)
	}
	// What was appended is really there: the members, and tasks of several events.
	wantsDenseLogs(t, db, 2)
	var table *string
	if err := db.Owner(t).QueryRow(t.Context(), `select to_regclass('docketbench_raw')::text`).Scan(&table); err != nil || table != nil {
		t.Errorf("the raw table was left: %v, %v", table, err)
	}
}

func TestAppendForPeople(t *testing.T) {
	t.Parallel()
	r := run(t, on(pgtest.New(t)), append(short, "--raw=false")...)
	if r.status != statusDone || !strings.Contains(r.stdout, "\n| append | 4 | 2 | ") || !strings.Contains(r.stdout, " | – | – | – | – | – | 0 | ") {
		t.Errorf("status %d: %s", r.status, r.stdout)
	}
	if !strings.Contains(r.stderr, "WARNING: this Postgres is not durable") {
		t.Errorf("nothing warns of a test's Postgres: %s", r.stderr)
	}
}

// One more tenant's writers append beside the others, and only after the baseline.
func TestAppendBesideAFlood(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	r := run(t, on(db), append(short, "--json", "--raw=false", "--flood", "30")...).report()
	positive(t, r, "ops_per_s", "p99_to_baseline", "ratio_to_baseline")
	if r["flood"] != 30.0 || r["errors"] != 0.0 {
		t.Errorf("got %v", r)
	}
	wantsDenseLogs(t, db, 3)
	const sql = `select count(*) from (select 1 from events where type = 'member.joined' group by tenant_id having count(*) = 30) x`
	var floods int
	if err := db.Engine(t).QueryRow(t.Context(), sql).Scan(&floods); err != nil || floods != 1 {
		t.Errorf("%d tenants have the members of a flood (%v)", floods, err)
	}
}

func TestAppendToAFullStore(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	r := run(t, on(db), append(short, "--json", "--preload-events", "205", "--preload-tenants", "5", "--long-snapshot", "same")...).report()
	positive(t, r, "ops_per_s", "ratio_to_baseline")
	positive(t, r["baseline"].(map[string]any), "ops_per_s", "raw_single_per_s")
	if r["preloaded_events"] != 205.0 || r["preloaded_tenants"] != 5.0 || r["long_snapshot"] != "same" || r["errors"] != 0.0 {
		t.Errorf("got %v", r)
	}
	// Two tenants of the baseline, five filled, two of which went on.
	wantsDenseLogs(t, db, 7)
	const sql = `select count(*) filter (where n >= 41), count(*) filter (where n = 41) from (select count(*) as n from events group by tenant_id) x`
	var filled, untouched int
	if err := db.Engine(t).QueryRow(t.Context(), sql).Scan(&filled, &untouched); err != nil || filled < 5 || untouched != 3 {
		t.Errorf("%d tenants were filled, %d of them untouched since, %v", filled, untouched, err)
	}
	// The preload writes what the store can read, and what folds.
	rows, err := db.Engine(t).Query(t.Context(), `select `+eventstore.Columns+` from events where stream_type = 'task' order by tenant_id, seq`)
	if err != nil {
		t.Fatal(err)
	}
	events, err := pgx.CollectRows(rows, eventstore.Scan)
	if err != nil {
		t.Fatal(err)
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

// A run in which appends fail is reported, and not as a good one.
func TestAppendsThatFail(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if _, err := db.Owner(t).Exec(t.Context(), `alter table events add constraint refused check (type <> 'task.updated')`); err != nil {
		t.Fatal(err)
	}
	r := run(t, on(db), append(short, "--json", "--raw=false")...)
	var report struct{ Errors int }
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil || report.Errors == 0 {
		t.Errorf("%d errors, %v: %s", report.Errors, err, r.stdout)
	}
	if r.status != statusFailures || !strings.Contains(r.stderr, "some operations failed") {
		t.Errorf("status %d: %s", r.status, r.stderr)
	}
}

// TestAppendOnAPrivatePostgres has to leave nothing.
func TestAppendOnAPrivatePostgres(t *testing.T) {
	t.Parallel()
	dir := pgtest.TempDir(t)
	r := run(t, nil, append(short, "--json", "--dir", dir, "--long-snapshot", "other", "--baseline=false")...).report()
	facts := r["postgres"].(map[string]any)
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if facts[setting] != "on" {
			t.Errorf("%s is %v", setting, facts[setting])
		}
	}
	if r["baseline"] != nil || r["errors"] != 0.0 {
		t.Errorf("got %v", r)
	}
	wantsEmpty(t, dir)
}

// TestInterrupted stops a run in the middle, as Ctrl-C does.
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
	raw, err := newRawLog(t.Context(), d, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	single, err := raw.single(t.Context(), window{Measure: 200 * time.Millisecond})
	if err != nil || len(single.Failures) > 0 {
		t.Fatalf("%v, %v", single.Failures, err)
	}
	batch, err := raw.batch(t.Context(), window{Measure: 500 * time.Millisecond})
	if err != nil || len(batch.Failures) > 0 {
		t.Fatalf("%v, %v", batch.Failures, err)
	}
	if batch.Ops != batch.Latencies.count()*rawBatch {
		t.Errorf("%d rows in %d transactions", batch.Ops, batch.Latencies.count())
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
	if err := owner.QueryRow(t.Context(), `select data, stream_id from docketbench_raw limit 1`).Scan(&data, &id); err != nil || len(data) != raw.eventBytes() {
		t.Errorf("%d bytes of data, want %d, %v", len(data), raw.eventBytes(), err)
	}
	if err := raw.drop(t.Context()); err != nil {
		t.Error(err)
	}
}
