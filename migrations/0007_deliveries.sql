-- +goose Up

-- What the notifications subscription folds for itself from each tenant's log,
-- in the transaction of its checkpoint: over which channel the tenant wants its
-- members to be told, and where each member is to be reached.
create table tenant_channels (
  tenant_id     uuid not null,
  channel       text not null,
  email_from    text,
  -- Names a row of tenant_secrets.
  slack_webhook uuid,
  constraint tenant_channels_pk primary key (tenant_id)
);

create table recipients (
  tenant_id uuid not null,
  user_id   uuid not null,
  email     text not null,
  name      text not null,
  constraint recipients_pk primary key (tenant_id, user_id)
);

-- Notifications that have to leave the house. A row is made in the transaction
-- of the page that tells of the event, and is the record of what became of it.
create table deliveries (
  tenant_id    uuid        not null,
  id           uuid        not null,
  channel      text        not null,
  user_id      uuid        not null,
  -- Whose name the message may carry, so that it can be found again and erased.
  actor_id     uuid,
  seq          bigint      not null,
  -- What to send and where to: written once, the same at every attempt.
  message      json        not null,
  state        text        not null default 'queued',
  -- How often it was taken; it fences a worker that comes too late.
  attempts     integer     not null default 0,
  -- When it may be taken next. While it is being sent: when the lease ends.
  due_at       timestamptz not null default now(),
  leased_until timestamptz,
  -- Why the last attempt failed, in words that a tenant may read.
  problem      text,
  created_at   timestamptz not null default now(),
  finished_at  timestamptz,
  constraint deliveries_pk primary key (tenant_id, id),
  constraint deliveries_state check (state in ('queued', 'sent', 'dead')),
  constraint deliveries_finished check ((state = 'queued') = (finished_at is null))
) with (fillfactor = 70);
-- What is due first, and what is due first of each tenant.
create index deliveries_due on deliveries (channel, due_at, tenant_id, id) where finished_at is null;
create index deliveries_queue on deliveries (channel, tenant_id, due_at, id) where finished_at is null;
-- What is being sent: as many rows as there are workers.
create index deliveries_leased on deliveries (channel, tenant_id, leased_until) where leased_until is not null;

-- What must not stand in an event, sealed with a key made of the master key.
create table tenant_secrets (
  tenant_id  uuid        not null,
  id         uuid        not null,
  sealed     bytea       not null,
  created_at timestamptz not null default now(),
  constraint tenant_secrets_pk primary key (tenant_id, id)
);

alter table tenant_channels enable row level security, force row level security;
alter table recipients      enable row level security, force row level security;
alter table deliveries      enable row level security, force row level security;
alter table tenant_secrets  enable row level security, force row level security;

create policy engine_all on tenant_channels to docket_engine using (true) with check (true);
create policy engine_all on recipients      to docket_engine using (true) with check (true);
create policy engine_all on deliveries      to docket_engine using (true) with check (true);
create policy engine_all on tenant_secrets  to docket_engine using (true) with check (true);

-- No request reads any of these: the api role has no right on them.
grant select, insert, update, delete on tenant_channels, recipients, deliveries, tenant_secrets to docket_engine;

-- +goose Down
drop table tenant_secrets;
drop table deliveries;
drop table recipients;
drop table tenant_channels;
