package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"docket/internal/pgtest"
)

func TestReadiness(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	api, engine := db.API(t), db.Engine(t)
	durable, stands := error(nil), time.Duration(0)
	r := newReadiness(api, engine, func() error { return durable }, func() time.Duration { return stands }, slog.New(slog.DiscardHandler))
	expect := func(want error, when string) {
		t.Helper()
		r.askedAt = time.Time{}
		if got := r.check(t.Context()); !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	expect(errNotServing, "before it serves")
	r.setServing(true)
	expect(nil, "serving")
	execute(t, db.OwnerURL, `insert into goose_db_version (version_id, is_applied) values (999, true)`)
	expect(nil, "migrated by a newer docket")
	durable = &unsafeError{[]string{"fsync"}}
	expect(durable, "on a Postgres that may lose acknowledged commits")
	durable = nil
	expect(nil, "when Postgres is safe again")
	stands = sweepOverdue + time.Second
	expect(errFeedStands, "while sweeps fail")
	stands = sweepOverdue
	expect(nil, "after a sweep")
	because := func(want, when string) {
		t.Helper()
		r.askedAt = time.Time{}
		if got := r.check(t.Context()); got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %v, want %q", when, got, want)
		}
	}
	for _, missing := range []string{"insert on deliveries from docket_engine", "select on comments from docket_api", "execute on function append_batch from docket_engine"} {
		execute(t, db.OwnerURL, "revoke "+missing)
		because("too few rights", missing)
		execute(t, db.OwnerURL, "grant "+strings.Replace(missing, " from ", " to ", 1))
		expect(nil, "with "+missing)
	}
	// For new sessions only.
	execute(t, db.OwnerURL, "alter database "+db.Name+" set default_transaction_read_only = on")
	api.Reset()
	engine.Reset()
	because("read-only", "on a read-only database")
	execute(t, db.OwnerURL, "set transaction read write; alter database "+db.Name+" reset default_transaction_read_only")
	api.Reset()
	engine.Reset()
	expect(nil, "writable again")
	execute(t, db.OwnerURL, `delete from goose_db_version where version_id > 5`)
	r.askedAt = time.Now().Add(time.Hour) // however long this test takes
	if err := r.check(t.Context()); err != nil {
		t.Errorf("it asked again at once: %v", err)
	}
	expect(errSchemaMoved, "gone back")
	api.Close()
	expect(errNoDatabase, "without a database")
	r.setServing(false)
	expect(errNotServing, "stopping")
}
