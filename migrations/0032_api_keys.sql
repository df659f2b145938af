-- +goose Up

-- The keys of service accounts, as SHA-256. Who the account is, and whether the key is
-- valid, is in the account's stream of the tenant's log, which names the key by secret_id.
-- A key is looked up before its tenant is known, so by the engine role. expires_at is when
-- the row can be deleted.
create table api_keys (
  key_hash     bytea       not null,
  tenant_id    uuid        not null,
  account_id   uuid        not null,
  secret_id    uuid        not null,
  created_at   timestamptz not null default now(),
  expires_at   timestamptz not null,
  last_used_at timestamptz,
  constraint api_keys_pk primary key (key_hash),
  constraint api_keys_hash_size check (octet_length(key_hash) = 32)
);
create index api_keys_by_account on api_keys (tenant_id, account_id);
create index api_keys_expired on api_keys (expires_at);

alter table api_keys enable row level security, force row level security;
create policy engine_all on api_keys to docket_engine using (true) with check (true);
grant select, insert, update, delete on api_keys to docket_engine;

-- +goose Down
drop table api_keys;
