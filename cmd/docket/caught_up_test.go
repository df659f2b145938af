package main

import (
	"context"
	"maps"
	"slices"
	"testing"

	"docket/domain"
	"docket/internal/postgres"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5/pgxpool"
)

// await waits until a condition holds that nothing announces.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tenanttest.Eventually(t, "still not: "+what, func() (bool, any) { return holds(), nil })
}

// awaitSQL waits until a query returns true.
func awaitSQL(t testing.TB, pool *pgxpool.Pool, what, sql string, args ...any) {
	t.Helper()
	await(t, what, func() (holds bool) {
		if err := pool.QueryRow(context.Background(), sql, args...).Scan(&holds); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return holds
	})
}

// awaitCheckpoint waits until a subscription of a tenant has handled its whole log.
func awaitCheckpoint(t testing.TB, pool *pgxpool.Pool, tenant domain.TenantID, subscription string) {
	t.Helper()
	awaitSQL(t, pool, subscription+" has handled the log of "+tenant.String(), `select exists (select from checkpoints c where c.tenant_id = $1 and c.subscription = $2
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $1 and g.subscription = $2), 1)
  and c.seq = (select max(e.seq) from events e where e.tenant_id = $1))`, tenant.UUID(), subscription)
}

// sqlCaughtUp reports whether subscriptions ($1, their names) have handled the logs of
// all tenants.
const sqlCaughtUp = `
select not exists (select from tenant_logs t cross join unnest($1::text[]) as s(name)
left join generations g on g.tenant_id = t.tenant_id and g.subscription = s.name
left join checkpoints c on c.tenant_id = t.tenant_id and c.subscription = s.name and c.generation = coalesce(g.current, 1)
where coalesce(c.seq, 0) < (select coalesce(max(e.seq), 0) from events e where e.tenant_id = t.tenant_id))`

// awaitCheckpoints waits until all subscriptions have handled all logs.
func awaitCheckpoints(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	awaitSQL(t, pool, "all subscriptions have handled all logs", sqlCaughtUp, slices.Collect(maps.Keys(subscriptions(nil))))
}

// awaitCheckpoints is for a server with a private Postgres: a read waits a moment only
// for what its caller wrote, and not at all for the writes of others.
func (in *install) awaitCheckpoints() {
	in.t.Helper()
	pool := in.engine()
	defer pool.Close()
	awaitCheckpoints(in.t, pool)
}

// execute runs a statement on the install's Postgres.
func (in *install) execute(sql string) {
	in.t.Helper()
	pool := in.engine()
	defer pool.Close()
	if _, err := pool.Exec(in.t.Context(), sql); err != nil {
		in.t.Fatal(err)
	}
}

// engine is a pool of one connection to the install's Postgres.
func (in *install) engine() *pgxpool.Pool {
	in.t.Helper()
	running, ok := postgres.Running(in.data)
	if !ok {
		in.t.Fatal("no Postgres runs")
	}
	pool, err := postgres.Pool(in.t.Context(), running.URL(postgres.EngineLogin, postgres.Database),
		postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 1})
	if err != nil {
		in.t.Fatal(err)
	}
	return pool
}
