-- +goose Up

-- The name of the process that builds a checkpoint's generation, and the time when it
-- began: a second process reports both when it is refused. Null for the live generation.
alter table checkpoints add column built_by text, add column built_since timestamptz;

-- +goose Down
alter table checkpoints drop column built_by, drop column built_since;
