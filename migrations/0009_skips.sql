-- +goose Up

-- The events that an operator had a subscription leave out: the live subscription
-- and every rebuild go past them. recorded is the seq, in the same log, of the event
-- that says who did it and why. Written under the checkpoint's lock, never changed.
create table skips (
  tenant_id    uuid        not null,
  subscription text        not null,
  seq          bigint      not null,
  recorded     bigint      not null,
  skipped_at   timestamptz not null default now(),
  constraint skips_pk primary key (tenant_id, subscription, seq),
  constraint skips_recorded_after check (recorded > seq and seq > 0)
);

alter table skips enable row level security, force row level security;
create policy engine_all on skips to docket_engine using (true) with check (true);
create policy api_tenant on skips for select to docket_api using (tenant_id = current_tenant());
grant select, insert on skips to docket_engine;
grant select on skips to docket_api;

-- Since when a checkpoint's next page has failed; null while it hasn't.
alter table checkpoints add column failed_at timestamptz;

-- +goose Down
alter table checkpoints drop column failed_at;
drop table skips;
