-- +goose Up

-- The documents of comments stand beside those of projects and tasks; task_id is the task of
-- a comment, null in all other rows. By the index a list from the newest on finds the comments
-- of each task. The key is made again after it, for the reason that stands in 0004.
alter table search drop constraint search_pk;
alter table search add column task_id uuid;
create index search_by_task on search (tenant_id, task_id, generation) where task_id is not null;
alter table search add constraint search_pk primary key (tenant_id, generation, id);

-- +goose Down
drop index search_by_task;
alter table search drop column task_id;
