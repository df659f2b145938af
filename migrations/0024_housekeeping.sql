-- +goose Up

-- What the housekeeping deletes, oldest first: it reads no other rows.
create index sessions_ended on sessions (least(expires_at, revoked_at));
create index refresh_tokens_used on refresh_tokens (used_at) where used_at is not null;
create index deliveries_finished_at on deliveries (finished_at) where finished_at is not null;
create index notifications_read on notifications (read_at) where read_at is not null;

-- Since when no setting of the tenant names the secret, as far as the housekeeping has seen.
alter table tenant_secrets add column unused_since timestamptz;
create index tenant_secrets_unused on tenant_secrets (unused_since) where unused_since is not null;
create index tenant_secrets_noted on tenant_secrets (created_at) where unused_since is null;

-- +goose Down
drop index tenant_secrets_noted;
drop index tenant_secrets_unused;
alter table tenant_secrets drop column unused_since;
drop index notifications_read;
drop index deliveries_finished_at;
drop index refresh_tokens_used;
drop index sessions_ended;
