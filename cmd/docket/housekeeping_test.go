package main

import (
	"context"
	"log/slog"
	"testing"

	"docket/eventstore"
	"docket/internal/pgtest"

	"github.com/prometheus/client_golang/prometheus"
)

// sqlOldRows makes 2,500 rows of each kind that are old, 10 that are young and 10 that are
// in use, in ten tenants. More than two batches are to be deleted.
const sqlOldRows = `
with n as (select i, case when i < 2500 then now() - interval '400 days' else now() end as at, i < 2510 as ended,
    md5('tenant ' || i % 10)::uuid as tenant, gen_random_uuid() as id from generate_series(0, 2519) i),
s as (insert into sessions (id, user_id, expires_at, revoked_at)
  select id, gen_random_uuid(), case when ended then at else now() + interval '1 day' end, null from n returning id),
live as (insert into sessions (id, user_id, expires_at) values (md5('live')::uuid, gen_random_uuid(), now() + interval '1 day') returning id),
r as (insert into refresh_tokens (token_hash, session_id, used_at)
  select sha256(id::text::bytea), (select id from live), case when ended then at end from n),
d as (insert into deliveries (tenant_id, id, channel, user_id, seq, message, state, finished_at)
  select tenant, id, 'email', id, i, '{}', case when ended then 'sent' else 'queued' end, case when ended then at end from n),
k as (insert into signing_keys (kid, sealed, signs_from, retired_at)
  select id::text, '', at, case when ended then at else now() end from n),
a as (insert into known_addresses (account, address, seen_at) select uuid_send(id), uuid_send(id), case when ended then at else now() end from n),
am as (insert into account_mails (id, kind, expires_at) select id, 'reset', case when ended then at else now() + interval '1 day' end from n),
at as (insert into account_tokens (token_hash, kind, user_id, expires_at)
  select sha256(id::text::bytea), 'reset', id, case when ended then at else now() + interval '1 day' end from n),
ak as (insert into api_keys (key_hash, tenant_id, account_id, secret_id, expires_at)
  select sha256(uuid_send(id)), tenant, id, id, case when ended then at else now() end from n),
l as (insert into sign_in_limits (scope, slot, full_at) select 'login', i, case when ended then at else now() end from n),
c as (insert into commands (tenant_id, key_hash, fingerprint, command_id, at)
  select tenant, sha256(id::text::bytea), sha256(id::text::bytea), id, at from n)
insert into notifications (tenant_id, id, user_id, seq, kind, reason, entity_type, entity_id, title, body, created_at, read_at)
select tenant, id, id, i, 'k', 'r', 'task', id, '', '', at, case when ended then at end from n`

// sqlOldCounts counts what is left.
const sqlOldCounts = `select (select count(*) from sessions), (select count(*) from refresh_tokens), (select count(*) from deliveries),
  (select count(*) from notifications), (select count(*) from commands),
  (select count(*) from account_mails), (select count(*) from account_tokens)`

func TestHousekeeping(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	engine := db.Engine(t)
	counts := func() (n [7]int) {
		t.Helper()
		if err := engine.QueryRow(t.Context(), sqlOldCounts).Scan(&n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6]); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := engine.Exec(t.Context(), sqlOldRows); err != nil {
		t.Fatal(err)
	}
	if before := counts(); before != [7]int{2521, 2520, 2520, 2520, 2520, 2520, 2520} {
		t.Fatalf("%v rows before", before)
	}
	s, problems := inspectSettings(map[string]string{"HOME": "/"}, nil, false)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	list := chores(s, engine, eventstore.New(engine, db.API(t), nil))
	metrics := prometheus.NewRegistry()
	h := newHousekeeping(engine, list, metrics, slog.New(slog.DiscardHandler))
	round := func(want bool, when string) {
		t.Helper()
		if mine, err := h.round(t.Context()); err != nil || mine != want {
			t.Fatalf("%s: %t, %v", when, mine, err)
		}
	}

	holder, err := engine.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Release()
	var locked bool
	if err := holder.QueryRow(t.Context(), housekeepingLockSQL).Scan(&locked); err != nil || !locked {
		t.Fatal(locked, err)
	}
	round(false, "while another replica is at it")
	if _, err := holder.Exec(context.WithoutCancel(t.Context()), housekeepingUnlockSQL); err != nil {
		t.Fatal(err)
	}
	round(true, "alone")
	if after := counts(); after != [7]int{21, 20, 20, 20, 20, 20, 20} {
		t.Errorf("%v rows after", after)
	}
	found, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	deleted := map[string]float64{}
	for _, family := range found {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				deleted[l.GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	for _, c := range list {
		want := 2500.0
		if c.what == "secrets" {
			want = 0
		}
		if deleted[c.what] != want {
			t.Errorf("%s: the metric says %v", c.what, deleted[c.what])
		}
	}
	// 0 keeps for ever.
	for i := range h.chores {
		h.chores[i].keep = 0
	}
	if _, err := engine.Exec(t.Context(), `update notifications set read_at = now() - interval '10 years' where read_at is not null`); err != nil {
		t.Fatal(err)
	}
	round(true, "keeping all")
	if after := counts(); after != [7]int{21, 20, 20, 20, 20, 20, 20} {
		t.Errorf("%v rows after a round that keeps all", after)
	}
	h.start()
	if err := h.stop(t.Context()); err != nil {
		t.Error(err)
	}
}
