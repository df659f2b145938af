-- +goose Up

-- Whether a generation's fold has reached the log's end once. Until then its rows are no
-- state that ever existed, and no query reads them. Existing generations count as
-- complete. (The default of an added column rewrites no row.)
alter table checkpoints add column complete boolean not null default true;
alter table checkpoints alter column complete set default false;

-- Since when there is a subscription with a fold. A log that began later has been
-- followed from its first event: what is folded of it is a state of the past, however
-- far behind. An older log has to be folded to its end first.
create table subscriptions (
  name  text        not null,
  since timestamptz not null default clock_timestamp(),
  constraint subscriptions_pk primary key (name)
);
insert into subscriptions (name, since) select distinct subscription, '-infinity'::timestamptz from checkpoints;

alter table subscriptions enable row level security, force row level security;
create policy engine_all on subscriptions to docket_engine using (true) with check (true);
create policy api_read on subscriptions for select to docket_api using (true); -- names of Docket's own, no tenant's
grant select, insert on subscriptions to docket_engine;
grant select on subscriptions to docket_api;

-- +goose Down
drop table subscriptions;
alter table checkpoints drop column complete;
