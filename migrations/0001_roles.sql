-- The group roles docket_engine and docket_api belong to the whole server, so
-- they are made in Go before this runs (postgres.EnsureRoles) and Down leaves them.

-- +goose Up

-- On servers older than 15, or upgraded from there, everyone may create tables
-- in public; a table created by the wrong role would stand outside all policies.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO docket_engine, docket_api;

-- Each replica compares the schema's version with its own before it serves.
GRANT SELECT ON goose_db_version TO docket_engine, docket_api;

-- +goose Down
REVOKE ALL ON goose_db_version FROM docket_engine, docket_api;
REVOKE ALL ON SCHEMA public FROM docket_engine, docket_api;
