-- +goose Up

-- What a subscription couldn't copy from an event of one log (source, seq) into a tenant's:
-- that tenant alone is tried again, and all others continue. Written in the transaction of
-- the event's page, and deleted once the copy is made.
create table postponed_copies (
  tenant_id    uuid        not null,
  subscription text        not null,
  source       uuid        not null,
  seq          bigint      not null,
  attempts     integer     not null default 1,
  -- During a try: when another replica may try.
  due_at       timestamptz not null,
  failed_at    timestamptz not null default clock_timestamp(),
  error        text        not null,
  constraint postponed_copies_pk primary key (tenant_id, subscription, source, seq)
);
create index postponed_copies_due on postponed_copies (subscription, due_at);

alter table postponed_copies enable row level security, force row level security;
create policy engine_all on postponed_copies to docket_engine using (true) with check (true);
grant select, insert, update, delete on postponed_copies to docket_engine;

-- +goose Down
drop table postponed_copies;
