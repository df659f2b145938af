-- +goose Up

-- Who edited a submitted project, a list of users' ids: with four eyes they can't approve
-- it. Null in rows of the fold before.
alter table projects add column edited_by jsonb;

-- +goose Down
alter table projects drop column edited_by;
