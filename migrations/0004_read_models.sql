-- +goose Up

-- Read models. Every row carries the seq of the event that it reflects, and
-- every key starts with tenant and generation: a rebuild fills the next
-- generation beside the one that is read. Texts sort by code point. A due date
-- is kept as it was written, YYYY-MM-DD: that sorts as the calendar does, and no
-- setting of a server or session changes how it reads.
--
-- On tables without statistics, as on a fresh database, or for a generation that
-- the statistics haven't met, the planner takes tenant and generation together
-- for one row, and then any index that begins with both for as good as the key.
-- So the indexes for lists have the generation last (a list meets a second one
-- only during a rebuild), and keys are added after them: among equally good
-- indexes the planner takes the youngest.
create table projects (
  tenant_id   uuid        not null,
  generation  integer     not null,
  id          uuid        not null,
  seq         bigint      not null,
  name        text        collate "C" not null,
  description text,
  status      text        not null,
  visibility  text        not null,
  due_date    text        collate "C",
  owner_id    uuid        not null,
  created_by  uuid        not null,
  -- Who submitted it last; with four eyes they are not the one to approve it.
  submitted_by uuid,
  created_at  timestamptz not null,
  updated_at  timestamptz not null,
  version     integer     not null
);
create index projects_by_created on projects (tenant_id, created_at, id, generation);
create index projects_by_updated on projects (tenant_id, updated_at, id, generation);
create index projects_by_name    on projects (tenant_id, name, id, generation);
create index projects_public     on projects (tenant_id, created_at, id, generation) where visibility = 'public';
alter table projects add constraint projects_pk primary key (tenant_id, generation, id);

create table tasks (
  tenant_id   uuid        not null,
  generation  integer     not null,
  id          uuid        not null,
  seq         bigint      not null,
  project_id  uuid        not null,
  title       text        collate "C" not null,
  description text,
  status      text        not null,
  priority    text        not null,
  assignee_id uuid,
  labels      jsonb       not null, -- an array of texts
  due_date    text        collate "C",
  created_by  uuid        not null,
  created_at  timestamptz not null,
  updated_at  timestamptz not null,
  version     integer     not null
);
create index tasks_by_created  on tasks (tenant_id, created_at, id, generation);
create index tasks_by_project  on tasks (tenant_id, project_id, created_at, id, generation);
create index tasks_by_assignee on tasks (tenant_id, assignee_id, created_at, id, generation);
alter table tasks add constraint tasks_pk primary key (tenant_id, generation, id);

create table members (
  tenant_id  uuid        not null,
  generation integer     not null,
  user_id    uuid        not null,
  seq        bigint      not null,
  email      text        collate "C" not null,
  name       text        collate "C" not null,
  role       text        not null,
  joined_at  timestamptz not null,
  -- The version of the user that the name came from.
  user_version integer   not null,
  version    integer     not null
);
create index members_by_joined on members (tenant_id, joined_at, user_id, generation);
-- The one index that doesn't start with the tenant: a user's own tenants.
create index members_by_user on members (user_id, tenant_id);
alter table members add constraint members_pk primary key (tenant_id, generation, user_id);

-- One row a tenant; its id is the tenant_id.
create table tenants (
  tenant_id    uuid        not null,
  generation   integer     not null,
  id           uuid        not null,
  seq          bigint      not null,
  slug         text        collate "C" not null,
  name         text        collate "C" not null,
  registration text        not null,
  default_role text        not null,
  channel      text        not null,
  email_from   text,
  -- The name of a secret, which is kept elsewhere.
  slack_webhook uuid,
  four_eyes    boolean     not null,
  awaits_founder boolean  not null,
  created_at   timestamptz not null,
  updated_at   timestamptz not null,
  version      integer     not null,
  constraint tenants_pk primary key (tenant_id, generation, id)
);

-- Who did what to what, one row an event. Its key is the order in which it is
-- listed, and comes first, so that the narrower indexes are taken before it.
create table activity (
  tenant_id   uuid        not null,
  generation  integer     not null,
  seq         bigint      not null,
  at          timestamptz not null,
  actor_id    uuid,
  actor_name  text        not null,
  action      text        not null,
  entity_type text        not null,
  entity_id   uuid        not null,
  project_id  uuid,
  summary     text        not null,
  changes     json        not null,
  request_id  text        not null,
  constraint activity_pk primary key (tenant_id, generation, seq)
);
create index activity_by_entity on activity (tenant_id, entity_id, seq, generation);
create index activity_by_actor  on activity (tenant_id, actor_id, seq, generation);

alter table projects enable row level security, force row level security;
alter table tasks    enable row level security, force row level security;
alter table members  enable row level security, force row level security;
alter table tenants  enable row level security, force row level security;
alter table activity enable row level security, force row level security;

create policy engine_all on projects to docket_engine using (true) with check (true);
create policy engine_all on tasks    to docket_engine using (true) with check (true);
create policy engine_all on members  to docket_engine using (true) with check (true);
create policy engine_all on tenants  to docket_engine using (true) with check (true);
create policy engine_all on activity to docket_engine using (true) with check (true);

create policy api_tenant on projects for select to docket_api using (tenant_id = current_tenant());
create policy api_tenant on tasks    for select to docket_api using (tenant_id = current_tenant());
create policy api_tenant on members  for select to docket_api using (tenant_id = current_tenant());
create policy api_tenant on tenants  for select to docket_api using (tenant_id = current_tenant());
create policy api_tenant on activity for select to docket_api using (tenant_id = current_tenant());

-- What a user sees over all tenants: the own memberships, and those tenants' names.
create policy api_user on members for select to docket_api using (user_id = current_docket_user());
create policy api_user on tenants for select to docket_api using (
  tenant_id in (select m.tenant_id from members m where m.user_id = current_docket_user()));
create policy api_user on generations for select to docket_api using (
  tenant_id in (select m.tenant_id from members m where m.user_id = current_docket_user()));
create policy api_user on checkpoints for select to docket_api using (
  tenant_id in (select m.tenant_id from members m where m.user_id = current_docket_user()));

grant select, insert, update, delete on projects, tasks, members, tenants, activity to docket_engine;
grant select on projects, tasks, members, tenants, activity to docket_api;

-- Which fold fills the generation that a checkpoint stands for; null where the
-- live subscription began it. A rebuild is never continued by another fold.
alter table checkpoints add column fold_version integer;

-- The last seq of a tenant's log whose event happened at or before a time; 0 if
-- there is none. occurred_at grows strictly with seq and seq has no gaps, so a binary
-- search of some twenty steps finds it without an index on the time.
-- +goose StatementBegin
create function seq_at(p_tenant uuid, p_at timestamptz) returns bigint language plpgsql stable parallel safe as $$
declare
  low  bigint := 0;
  high bigint := coalesce((select e.seq from events e where e.tenant_id = p_tenant order by e.seq desc limit 1), 0);
  middle bigint;
begin
  while low < high loop
    middle := (low + high + 1) / 2;
    if (select e.occurred_at from events e where e.tenant_id = p_tenant and e.seq = middle) <= p_at then
      low := middle;
    else
      high := middle - 1;
    end if;
  end loop;
  return low;
end $$;
-- +goose StatementEnd

-- +goose Down
drop function seq_at;
alter table checkpoints drop column fold_version;
drop policy api_user on checkpoints;
drop policy api_user on generations;
drop table activity;
drop table tenants cascade;
drop table members cascade;
drop table tasks;
drop table projects;
