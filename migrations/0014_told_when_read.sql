-- +goose Up

-- What an event says itself is read from it: a row of the activity log keeps what lists
-- are narrowed by, and a summary's seq says which event was the last. An entity is a
-- stream, whose events have the index events_stream.
drop index activity_by_entity;
alter table activity
  drop column at, drop column actor_name, drop column entity_id, drop column project_id,
  drop column summary, drop column changes, drop column request_id;
alter table summaries
  drop column at, drop column actor_id, drop column actor_name, drop column action,
  drop column entity_type, drop column entity_id;

-- +goose Down

-- The rows lack what the columns held, and so are folded anew from the first event on.
truncate activity, summaries;
alter table checkpoints no force row level security;
alter table generations no force row level security;
delete from checkpoints where subscription in ('activity', 'summaries');
delete from generations where subscription in ('activity', 'summaries');
alter table checkpoints force row level security;
alter table generations force row level security;
alter table summaries
  add column at          timestamptz not null,
  add column actor_id    uuid,
  add column actor_name  text        not null,
  add column action      text        not null,
  add column entity_type text        not null,
  add column entity_id   uuid        not null;
alter table activity
  add column at          timestamptz not null,
  add column actor_name  text        not null,
  add column entity_id   uuid        not null,
  add column project_id  uuid,
  add column summary     text        not null,
  add column changes     json        not null,
  add column request_id  text        not null;
create index activity_by_entity on activity (tenant_id, entity_id, seq, generation);
