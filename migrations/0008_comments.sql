-- +goose Up

-- The comments of tasks; see 0004 for what read models have in common.
create table comments (
  tenant_id  uuid        not null,
  generation integer     not null,
  id         uuid        not null,
  seq        bigint      not null,
  task_id    uuid        not null,
  project_id uuid        not null,
  body       text        not null,
  author_id  uuid        not null,
  mentions   jsonb       not null, -- an array of user ids
  created_at timestamptz not null,
  updated_at timestamptz not null,
  version    integer     not null
);
create index comments_by_task on comments (tenant_id, task_id, created_at, id, generation);
alter table comments add constraint comments_pk primary key (tenant_id, generation, id);

alter table comments enable row level security, force row level security;
create policy engine_all on comments to docket_engine using (true) with check (true);
create policy api_tenant on comments for select to docket_api using (tenant_id = current_tenant());
grant select, insert, update, delete on comments to docket_engine;
grant select on comments to docket_api;

-- +goose Down
drop table comments;
