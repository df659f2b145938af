-- +goose Up

-- Whether rows of generations below the one that is read may be left: a flip says so in
-- its transaction, and whoever has deleted them takes it back. So what a process left that
-- was killed in between is found without a look at the rows. What there is counts as left,
-- which is looked after once. (The default of an added column rewrites no row.)
alter table generations add column old_rows boolean not null default true;
create index generations_old_rows on generations (tenant_id, subscription) where old_rows;

-- +goose Down
alter table generations drop column old_rows;
