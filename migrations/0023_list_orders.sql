-- +goose Up

-- Lists of tasks by updated_at, due date, priority and title, and of the tasks that someone
-- created. A list with a filter goes through an order's index until its page is full. These
-- begin with the status: most tasks of an old tenant are done, and those that aren't would
-- be looked for among them. A list of all statuses merges three of these orders. With the
-- status and then the priority one index serves what two did. The keys are made again after
-- them, for the reason that stands in 0004.
alter table tasks drop constraint tasks_pk;
drop index tasks_by_status, tasks_by_priority;
create index tasks_by_status on tasks (tenant_id, status,
  (case priority when 'low' then 0 when 'normal' then 1 when 'high' then 2 when 'urgent' then 3 end), created_at, id, generation);
create index tasks_by_updated on tasks (tenant_id, status, updated_at, id, generation);
create index tasks_by_due     on tasks (tenant_id, status, (coalesce(due_date, '~')), id, generation);
create index tasks_by_title   on tasks (tenant_id, status, title, id, generation);
create index tasks_by_creator on tasks (tenant_id, created_by, created_at, id, generation);
alter table tasks add constraint tasks_pk primary key (tenant_id, generation, id);

alter table projects drop constraint projects_pk;
create index projects_by_due on projects (tenant_id, (coalesce(due_date, '~')), id, generation);
alter table projects add constraint projects_pk primary key (tenant_id, generation, id);

-- +goose Down
drop index projects_by_due;
alter table tasks drop constraint tasks_pk;
drop index tasks_by_creator, tasks_by_title, tasks_by_due, tasks_by_updated, tasks_by_status;
create index tasks_by_status   on tasks (tenant_id, status, created_at, id, generation);
create index tasks_by_priority on tasks (tenant_id, priority, created_at, id, generation);
alter table tasks add constraint tasks_pk primary key (tenant_id, generation, id);
