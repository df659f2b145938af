-- +goose Up

-- The comments of a task whose words are in its document: [{"id", "body"}], the oldest
-- first. Rows of the fold before have none.
alter table search add column comments jsonb;

-- +goose Down
alter table search drop column comments;
