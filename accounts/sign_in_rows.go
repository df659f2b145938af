package accounts

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// knownSQL returns whether an account ($1) has signed in from an address ($2) in the last
// $3 seconds.
const knownSQL = `select exists (select from known_addresses where account = $1 and address = $2 and seen_at > now() - make_interval(secs => $3))`

// countLoginSQL counts a login of an account ($1) from an address ($2; known for $3 seconds):
// of both ($4 slot, $5 interval, $6 allowance), then, unless the address is known, of the
// address ($7 to $9), then of the account ($10 to $12). A counter moves full_at by its
// interval, unless that would be more than its allowance ahead (the generic cell rate
// algorithm); all are seconds. It returns whether the address is known, the scope that
// refused or ”, and in how many seconds that one is whole again. The rows are locked in
// one order.
const countLoginSQL = `with known as materialized (
  select exists (select from known_addresses where account = $1 and address = $2 and seen_at > now() - make_interval(secs => $3)) as yes),
pair as (
  insert into sign_in_limits as l (scope, slot, full_at) values ('login', $4, now() + make_interval(secs => $5))
  on conflict (scope, slot) do update set full_at = greatest(l.full_at, now()) + make_interval(secs => $5)
  where greatest(l.full_at, now()) + make_interval(secs => $5) <= now() + make_interval(secs => $6)
  returning 1),
address as (
  insert into sign_in_limits as l (scope, slot, full_at)
  select 'login-address', $7, now() + make_interval(secs => $8) where exists (select from pair) and not (select yes from known)
  on conflict (scope, slot) do update set full_at = greatest(l.full_at, now()) + make_interval(secs => $8)
  where greatest(l.full_at, now()) + make_interval(secs => $8) <= now() + make_interval(secs => $9)
  returning 1),
account as (
  insert into sign_in_limits as l (scope, slot, full_at)
  select 'login-account', $10, now() + make_interval(secs => $11) where exists (select from address)
  on conflict (scope, slot) do update set full_at = greatest(l.full_at, now()) + make_interval(secs => $11)
  where greatest(l.full_at, now()) + make_interval(secs => $11) <= now() + make_interval(secs => $12)
  returning 1),
refused as (
  select case when not exists (select from pair) then 'login' when (select yes from known) then ''
    when not exists (select from address) then 'login-address' when not exists (select from account) then 'login-account' else '' end as scope)
select (select yes from known), r.scope, coalesce(extract(epoch from l.full_at - now()), 0)::float8
from refused r left join sign_in_limits l on l.scope = r.scope
  and l.slot = case r.scope when 'login' then $4::integer when 'login-address' then $7::integer else $10::integer end`

// countSQL counts in one counter ($1 scope, $2 slot, $3 interval, $4 allowance), as
// countLoginSQL does, and returns whether that was allowed, and in how many seconds the
// counter was whole before.
const countSQL = `with counted as (
  insert into sign_in_limits as l (scope, slot, full_at) values ($1, $2, now() + make_interval(secs => $3))
  on conflict (scope, slot) do update set full_at = greatest(l.full_at, now()) + make_interval(secs => $3)
  where greatest(l.full_at, now()) + make_interval(secs => $3) <= now() + make_interval(secs => $4)
  returning 1)
select exists (select from counted),
  coalesce((select extract(epoch from full_at - now()) from sign_in_limits where scope = $1 and slot = $2), 0)::float8`

// giveBackSQL takes one request ($3 interval, seconds) out of a counter ($1 scope, $2 slot).
const giveBackSQL = `update sign_in_limits set full_at = full_at - make_interval(secs => $3) where scope = $1 and slot = $2`

// addKnownSQL makes an address ($2) known to an account ($1).
const addKnownSQL = `insert into known_addresses as k (account, address) values ($1, $2)
on conflict (account, address) do update set seen_at = now() where k.seen_at < now() - interval '1 hour'`

// trimKnownSQL deletes all but the $2 newest known addresses of an account ($1).
const trimKnownSQL = `delete from known_addresses where account = $1 and address in (
  select address from known_addresses where account = $1 order by seen_at desc, address offset $2)`

// deleteKnownSQL deletes up to $2 known addresses that weren't used for $1 seconds.
const deleteKnownSQL = `delete from known_addresses where (account, address) in (
  select account, address from known_addresses where seen_at < now() - make_interval(secs => $1) order by seen_at limit $2)`

// deleteWholeSQL deletes up to $2 counters whose quotas have been whole for $1 seconds. It
// reads the whole table, which has a bounded number of rows.
const deleteWholeSQL = `delete from sign_in_limits where (scope, slot) in (
  select scope, slot from sign_in_limits where full_at < now() - make_interval(secs => $1) limit $2)`

// queueKnown makes an address known to an account.
func queueKnown(b *pgx.Batch, account, address []byte) {
	b.Queue(addKnownSQL, account, address)
	b.Queue(trimKnownSQL, account, maxKnown)
}

// DeleteKnownAddresses deletes up to limit known addresses that weren't used for age, and
// returns how many. pool is of the engine role.
func DeleteKnownAddresses(ctx context.Context, pool *pgxpool.Pool, age time.Duration, limit int) (int, error) {
	return deleteOlder(ctx, pool, "known addresses", deleteKnownSQL, age, limit)
}

// DeleteWholeQuotas deletes up to limit counters of signing in that mean as much as none
// since age, and returns how many.
func DeleteWholeQuotas(ctx context.Context, pool *pgxpool.Pool, age time.Duration, limit int) (int, error) {
	return deleteOlder(ctx, pool, "counters of signing in", deleteWholeSQL, age, limit)
}
