package eventstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/pgtest"
	"docket/internal/tenanttest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// apiStatements are the SQL constants that run as the api role; all others run
// as the engine role.
var apiStatements = []string{"streamSQL", "rememberedSQL", "VersionSQL", "claimantSQL", "claimantsSQL"}

// unplanned are the SQL constants that can't be explained alone: the append
// function's call hides its statements, which TestAppendFunctionPlans counts, and
// the others are parts of statements.
var unplanned = []string{"appendSQL"}

// scanning are the SQL constants that may scan a table: they run only in the recovery after
// commits were lost, and an index for them would cost every append.
var scanning = []string{"ForgetLostSQL"}

// Plans that are made on empty tables are cached for long: on connections as the
// pools make them none may scan a table.
func TestStatementsPlanWithoutScans(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, sql := range sqlConstants(t) {
		if slices.Contains(unplanned, name) {
			continue
		}
		pool := f.Engine
		if slices.Contains(apiStatements, name) {
			pool = f.API
		}
		plan, err := pgtest.GenericPlan(t, pool, sql)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(plan, "Seq Scan") && !slices.Contains(scanning, name) {
			t.Errorf("%s:\n%s", name, plan)
		}
	}
}

// sqlConstants are the package's constants whose names end in SQL.
func sqlConstants(t *testing.T) map[string]string {
	t.Helper()
	out := pgtest.SQLConstants(t, nil)
	for _, name := range slices.Concat(apiStatements, unplanned) {
		if _, ok := out[name]; !ok {
			t.Errorf("there is no constant %s any more", name)
		}
	}
	return out
}

// The statements inside the append function can't be prepared from outside, so
// the database's own counters tell: with plans cached while the tables were
// empty, no table is scanned, and an append to a long log among many touches no
// more rows than one to a short log.
func TestAppendFunctionPlans(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	conn, err := f.Engine.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `set plan_cache_mode = force_generic_plan`); err != nil {
		t.Fatal(err)
	}
	tenant, stream, guard := tenanttest.NewID[domain.TenantID](t), newStream(t), newStream(t)
	full := func(expected, guarded int) eventstore.Commit {
		c := commit(t, part(tenant, stream, expected, 3), part(domain.Platform, newStream(t), 0, 1))
		c.Guards = []eventstore.Guard{{Tenant: tenant, Stream: guard, Version: guarded}, {Tenant: tenant, Stream: newStream(t)}}
		c.Claims = []eventstore.Claim{
			{Tenant: tenant, Kind: eventstore.ClaimSlug, Value: fmt.Sprint("taken ", expected), Holder: stream.ID},
			{Tenant: tenant, Kind: eventstore.ClaimSlug, Value: fmt.Sprint("taken ", expected-3), Holder: stream.ID, Release: true},
			{Tenant: domain.Platform, Kind: eventstore.ClaimSlug, Value: uuid.NewString(), Holder: stream.ID},
		}
		return c
	}
	run := func(c eventstore.Commit) (work scans) {
		t.Helper()
		if err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			before := scansOf(t, tx)
			if err := eventstore.AppendIn(t.Context(), tx, c); err != nil {
				return err
			}
			after := scansOf(t, tx)
			work = scans{tables: after.tables - before.tables, rows: after.rows - before.rows}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if work.tables != 0 {
			t.Errorf("an append scanned %d tables", work.tables)
		}
		return work
	}
	first := full(0, 0)
	first.NewTenants = []domain.TenantID{tenant}
	run(first)
	short := run(full(3, 0))

	// Filled as a Docket of some age, by the same session with its cached plans.
	if _, err := conn.Exec(t.Context(), `
insert into tenant_logs select gen_random_uuid() from generate_series(1, 2000);
insert into claims select tenant_id, 'slug', gen_random_uuid(), gen_random_uuid() from tenant_logs, generate_series(1, 3);
insert into events select tenant_id, 1000 + n, 'task', gen_random_uuid(), 1, 'task.updated', 1, now(), null, tenant_id, '{}', '{}'
  from tenant_logs, generate_series(1, 3) n;
insert into events select t, 2000 + n, 'task', '`+guard.String()[5:]+`', n, 'task.updated', 1, now(), null, t, '{}', '{}'
  from generate_series(1, 5000) n, (values ('`+tenant.String()+`'::uuid)) v (t)`); err != nil {
		t.Fatal(err)
	}
	long := run(full(6, 5000))
	if long.rows > short.rows+5 {
		t.Errorf("an append to a long log read %d rows by index, to a short one %d", long.rows, short.rows)
	}
	t.Logf("an append of 4 events read %d rows by index on small tables, %d on large ones", short.rows, long.rows)
}

// scans is what a session has done since it last reported its counters.
type scans struct {
	tables int64 // sequential scans
	rows   int64 // index entries read
}

func scansOf(t *testing.T, tx pgx.Tx) (s scans) {
	t.Helper()
	if err := tx.QueryRow(t.Context(), `select
  (select sum(seq_scan) from pg_stat_xact_user_tables where relname in ('events', 'claims', 'tenant_logs', 'commands')),
  (select sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) from pg_index i
   where i.indrelid in ('events'::regclass, 'claims'::regclass, 'tenant_logs'::regclass, 'commands'::regclass))`).Scan(&s.tables, &s.rows); err != nil {
		t.Fatal(err)
	}
	return s
}
