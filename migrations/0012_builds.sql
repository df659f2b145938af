-- +goose Up

-- Who builds the generation that a checkpoint stands for, as they called themselves,
-- and since when; so that a second one can be told. Null for the live one.
alter table checkpoints add column built_by text, add column built_since timestamptz;

-- +goose Down
alter table checkpoints drop column built_by, drop column built_since;
