-- +goose Up

-- Lists by due date. A coalesce is no condition of an index under row-level security, a case
-- is: PostgreSQL knows that it tells nothing of rows that a policy hides. With the column
-- itself beside the key, an index answers by itself how many tasks a filter lets pass. The
-- keys are made again after them, for the reason that stands in 0004.
alter table tasks drop constraint tasks_pk;
drop index tasks_by_due, tasks_by_status;
create index tasks_by_due on tasks (tenant_id, status, (case when due_date is null then '~' else due_date end), id, generation)
  include (due_date);
create index tasks_by_status on tasks (tenant_id, status,
  (case priority when 'low' then 0 when 'normal' then 1 when 'high' then 2 when 'urgent' then 3 end), created_at, id, generation)
  include (priority);
alter table tasks add constraint tasks_pk primary key (tenant_id, generation, id);

alter table projects drop constraint projects_pk;
drop index projects_by_due;
create index projects_by_due on projects (tenant_id, (case when due_date is null then '~' else due_date end), id, generation);
alter table projects add constraint projects_pk primary key (tenant_id, generation, id);

-- +goose Down
alter table projects drop constraint projects_pk;
drop index projects_by_due;
create index projects_by_due on projects (tenant_id, (coalesce(due_date, '~')), id, generation);
alter table projects add constraint projects_pk primary key (tenant_id, generation, id);

alter table tasks drop constraint tasks_pk;
drop index tasks_by_status, tasks_by_due;
create index tasks_by_due    on tasks (tenant_id, status, (coalesce(due_date, '~')), id, generation);
create index tasks_by_status on tasks (tenant_id, status,
  (case priority when 'low' then 0 when 'normal' then 1 when 'high' then 2 when 'urgent' then 3 end), created_at, id, generation);
alter table tasks add constraint tasks_pk primary key (tenant_id, generation, id);
