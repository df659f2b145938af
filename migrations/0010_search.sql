-- +goose Up

-- What of projects and tasks is searched; see 0004 for what read models have in
-- common. A document's lexemes begin with a few characters of their tenant and
-- the kind of thing (projections/document.go), so that an index over all tenants
-- has each tenant's words beside each other, and one tenant's common word is
-- another's rare one.
create table search (
  tenant_id  uuid     not null,
  generation integer  not null,
  id         uuid     not null, -- of a project or a task
  seq        bigint   not null,
  document   tsvector not null
);
-- The pending list makes writes half as dear; it is short, as every search reads it.
create index search_document on search using gin (document) with (fastupdate = on, gin_pending_list_limit = 512);
alter table search add constraint search_pk primary key (tenant_id, generation, id);

-- What the api role looks for in documents, until the transaction ends.
create function current_search() returns tsquery language sql stable parallel safe
  return nullif(current_setting('docket.search', true), '')::tsquery;

alter table search enable row level security, force row level security;
create policy engine_all on search to docket_engine using (true) with check (true);
-- The search stands in the policy. Beside it, in a query, it could be no condition
-- of an index: @@ isn't leakproof, so it would be asked only of the rows that the
-- policy lets pass, one by one. All conditions of one policy are equal. This one
-- only ever shows less: without a search, nothing at all. The tenant is compared
-- in a way that no index serves, so that those who search take search_document,
-- whatever the planner thinks of the tables' sizes; those who look a row up name
-- its key.
create policy api_tenant on search for select to docket_api
  using (tenant_id is not distinct from current_tenant() and document @@ current_search());
grant select, insert, update, delete on search to docket_engine;
grant select on search to docket_api;

-- +goose Down
drop table search;
drop function current_search;
