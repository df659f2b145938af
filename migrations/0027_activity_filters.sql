-- +goose Up

-- The activity log by project, by actions and by changed field. The project of an event and
-- the names of its changed fields (separated by commas) are null in rows of the fold before.
-- A field is looked for among the actions that may change it: an index of its own would
-- have several entries of one event.
alter table activity add column project_id uuid, add column fields text;
create index activity_by_project on activity (tenant_id, project_id, seq, generation) where project_id is not null;
create index activity_by_action  on activity (tenant_id, action, seq, generation);

-- +goose Down
drop index activity_by_action, activity_by_project;
alter table activity drop column fields, drop column project_id;
