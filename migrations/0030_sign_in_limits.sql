-- +goose Up

-- How far signing in has used up its quotas, one row for each counter: a scope, and a slot
-- that a keyed hash chose, so there are no more rows than slots. full_at is when the quota is
-- whole again; a row whose full_at has passed means as much as none. The table is unlogged:
-- after a crash all quotas are whole. It belongs to no tenant; only the engine role sees it.
create unlogged table sign_in_limits (
  scope   text        not null,
  slot    integer     not null,
  full_at timestamptz not null,
  constraint sign_in_limits_pk primary key (scope, slot)
) with (fillfactor = 70);

-- From which addresses an account has signed in, both as keyed hashes.
create table known_addresses (
  account bytea       not null,
  address bytea       not null,
  seen_at timestamptz not null default now(),
  constraint known_addresses_pk primary key (account, address)
);
create index known_addresses_seen on known_addresses (seen_at);

grant select, insert, update, delete on sign_in_limits, known_addresses to docket_engine;

-- +goose Down
drop table known_addresses;
drop table sign_in_limits;
