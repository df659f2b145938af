-- +goose Up

-- Notifications in the app. They are sent once and are no projection: a rebuild
-- doesn't touch them. Read marks are rows, not events.
create table notifications (
  tenant_id   uuid        not null,
  id          uuid        not null,
  user_id     uuid        not null,
  -- Whose name the texts may carry, so that it can be found again and erased.
  actor_id    uuid,
  seq         bigint      not null,
  kind        text        collate "C" not null,
  reason      text        not null,
  entity_type text        not null,
  entity_id   uuid        not null,
  project_id  uuid,
  title       text        not null,
  body        text        not null,
  created_at  timestamptz not null,
  read_at     timestamptz,
  constraint notifications_pk primary key (tenant_id, id),
  -- An event tells a user one thing once, however often it is handled. Lists
  -- are read along this key, from its end.
  constraint notifications_once unique (tenant_id, user_id, seq, kind)
);
create index notifications_unread on notifications (tenant_id, user_id, seq, kind) where read_at is null;

alter table notifications enable row level security, force row level security;
create policy engine_all on notifications to docket_engine using (true) with check (true);
create policy api_own on notifications for select to docket_api
  using (tenant_id = current_tenant() and user_id = current_docket_user());
create policy api_mark on notifications for update to docket_api
  using (tenant_id = current_tenant() and user_id = current_docket_user())
  with check (tenant_id = current_tenant() and user_id = current_docket_user());

grant select, insert, update, delete on notifications to docket_engine;
grant select on notifications to docket_api;
grant update (read_at) on notifications to docket_api;

-- +goose Down
drop table notifications;
