package main

import (
	"maps"
	"slices"

	"docket/internal/postgres"
)

// sqlBehind counts the subscriptions, over all tenants, that haven't read their
// log to the end ($1 are the subscriptions' names).
const sqlBehind = `
select count(*) from tenant_logs t cross join unnest($1::text[]) as s(name)
left join generations g on g.tenant_id = t.tenant_id and g.subscription = s.name
left join checkpoints c on c.tenant_id = t.tenant_id and c.subscription = s.name and c.generation = coalesce(g.current, 1)
where coalesce(c.seq, 0) < (select coalesce(max(e.seq), 0) from events e where e.tenant_id = t.tenant_id)`

// settle waits until every subscription has read everything: a read waits only a
// moment for what its caller wrote, and not at all for what others did.
func (in *install) settle() {
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
	defer pool.Close()
	for behind := 1; behind > 0; {
		if err := pool.QueryRow(in.t.Context(), sqlBehind, slices.Collect(maps.Keys(subscriptions(nil)))).Scan(&behind); err != nil {
			in.t.Fatal(err)
		}
	}
}
