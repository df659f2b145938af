-- +goose Up

-- The keys of access tokens: pairs of Ed25519 keys whose private keys are sealed under
-- the master key, which isn't in the database. A retired key has none any more. They belong
-- to no tenant; only the engine role sees them.
create table signing_keys (
  kid        text        not null,
  sealed     bytea       not null,
  created_at timestamptz not null default now(),
  signs_from timestamptz not null,
  retired_at timestamptz,
  constraint signing_keys_pk primary key (kid)
);

grant select, insert, update, delete on signing_keys to docket_engine;

-- +goose Down
drop table signing_keys;
