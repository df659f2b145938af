-- +goose Up

-- Which channels a replica has a real provider for, and when one claimed last. A replica
-- that only logs messages takes none of a channel that another one can send over.
create table delivery_providers (
  channel text        not null,
  seen_at timestamptz not null default statement_timestamp(),
  constraint delivery_providers_pk primary key (channel)
);

alter table delivery_providers enable row level security, force row level security;
create policy engine_all on delivery_providers to docket_engine using (true) with check (true);
grant select, insert, update on delivery_providers to docket_engine;

-- +goose Down
drop table delivery_providers;
