-- +goose Up

-- What reports are read from; see 0004 for what read models have in common.

-- How each project stands: one row a project, and no more than that of its tasks.
create table summaries (
  tenant_id   uuid        not null,
  generation  integer     not null,
  project_id  uuid        not null,
  seq         bigint      not null, -- also that of the last activity
  status      text        not null,
  since       timestamptz not null,
  -- Nanoseconds by status, without the present stay in the present one.
  spent       jsonb       not null,
  -- The last activity.
  at          timestamptz not null,
  actor_id    uuid,
  actor_name  text        not null,
  action      text        not null,
  entity_type text        not null,
  entity_id   uuid        not null,
  constraint summaries_pk primary key (tenant_id, generation, project_id)
);

-- The cycles of each project that was ever moved: one row a project.
create table cycles (
  tenant_id  uuid        not null,
  generation integer     not null,
  project_id uuid        not null,
  seq        bigint      not null,
  -- The last move: no cycle ended after it.
  moved_at   timestamptz not null,
  open       jsonb       not null, -- when the cycle that goes on began, by kind
  done       jsonb       not null  -- an array of {kind, began, ended}
);
create index cycles_by_moved on cycles (tenant_id, moved_at, project_id, generation);
alter table cycles add constraint cycles_pk primary key (tenant_id, generation, project_id);

alter table summaries enable row level security, force row level security;
alter table cycles    enable row level security, force row level security;
create policy engine_all on summaries to docket_engine using (true) with check (true);
create policy engine_all on cycles    to docket_engine using (true) with check (true);
create policy api_tenant on summaries for select to docket_api using (tenant_id = current_tenant());
create policy api_tenant on cycles    for select to docket_api using (tenant_id = current_tenant());
grant select, insert, update, delete on summaries, cycles to docket_engine;
grant select on summaries, cycles to docket_api;

-- +goose Down
drop table cycles;
drop table summaries;
