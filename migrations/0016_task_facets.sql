-- +goose Up

-- A list of the tasks with a status or a priority that hardly any has. The key is made
-- again after them, for the reason that stands in 0004.
alter table tasks drop constraint tasks_pk;
create index tasks_by_status   on tasks (tenant_id, status, created_at, id, generation);
create index tasks_by_priority on tasks (tenant_id, priority, created_at, id, generation);
alter table tasks add constraint tasks_pk primary key (tenant_id, generation, id);

-- +goose Down
drop index tasks_by_status, tasks_by_priority;
