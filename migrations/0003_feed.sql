-- +goose Up

-- How far a subscription has read a tenant's log. generation is that of the
-- rows it fills: a rebuild is a second checkpoint beside the live one.
-- failures, retry_at and error tell of a page that can't be handled: that
-- subscription of that tenant waits, all others go on. careful_to is the end of
-- the last page that failed: up to there events are handled one at a time.
create table checkpoints (
  tenant_id    uuid        not null,
  subscription text        not null,
  generation   integer     not null,
  seq          bigint      not null default 0,
  careful_to   bigint      not null default 0,
  failures     integer     not null default 0,
  retry_at     timestamptz,
  error        text,
  advanced_at  timestamptz not null default now(),
  constraint checkpoints_pk primary key (tenant_id, subscription, generation),
  constraint checkpoints_seq_not_negative check (seq >= 0)
) with (fillfactor = 50);

-- Which generation of a read model's rows is read. No row means the first.
create table generations (
  tenant_id    uuid    not null,
  subscription text    not null,
  current      integer not null,
  constraint generations_pk primary key (tenant_id, subscription)
);

alter table checkpoints enable row level security, force row level security;
alter table generations enable row level security, force row level security;

create policy engine_all on checkpoints to docket_engine using (true) with check (true);
create policy engine_all on generations to docket_engine using (true) with check (true);
create policy api_tenant on checkpoints for select to docket_api using (tenant_id = current_tenant());
create policy api_tenant on generations for select to docket_api using (tenant_id = current_tenant());

grant select, insert, update, delete on checkpoints to docket_engine;
grant select, insert, update, delete on generations to docket_engine;
grant select on checkpoints, generations to docket_api;

-- +goose Down
drop table generations;
drop table checkpoints;
