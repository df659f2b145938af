package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Role is a group role that grants and row-level security policies name. It
// cannot log in, is no superuser and does not bypass row-level security. Roles
// belong to the whole server, not to one database.
type Role string

const (
	// EngineRole appends, feeds subscriptions and rebuilds, over all tenants.
	EngineRole Role = "docket_engine"
	// APIRole reads, one tenant at a time; it owns nothing and cannot write events.
	APIRole Role = "docket_api"
)

var allRoles = []Role{EngineRole, APIRole}

// SQLSTATEs that decide what to do next.
const (
	codeCannotConnectNow      = "57P03"
	codeUndefinedObject       = "42704"
	codeDuplicateObject       = "42710"
	codeUniqueViolation       = "23505"
	codeInsufficientPrivilege = "42501"
	codeInternalError         = "XX000"
	codeInvalidParameter      = "22023"
)

// maxRoleAttempts bounds how often EnsureRoles looks again after losing a race.
const maxRoleAttempts = 20

// EnsureRoles makes the group roles where they are absent and lets the login of
// url become each of them by SET ROLE, so that one DATABASE_URL is enough. It
// needs CREATEROLE or superuser only if something is missing; else it is
// read-only. Migrations call it first.
//
// Roles are shared by all databases of a server while advisory locks are per
// database, so no lock excludes two installations that start at once in two
// databases. Instead whoever loses the race looks again.
func EnsureRoles(ctx context.Context, url string) error {
	c, err := connect(ctx, url)
	if err != nil {
		return fmt.Errorf("roles: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	if err := untilRaceIsOver(func() error { return ensureGroups(ctx, c) }); err != nil {
		return fmt.Errorf("roles: %w", err)
	}
	if err := untilRaceIsOver(func() error { return ensureMembership(ctx, c) }); err != nil {
		return fmt.Errorf("roles: %w", err)
	}
	return nil
}

// untilRaceIsOver repeats step when another session did the same at the same
// moment. Concurrent GRANTs of one role fail with "tuple concurrently updated",
// for which Postgres has no code of its own but internal_error.
func untilRaceIsOver(step func() error) error {
	var err error
	for range maxRoleAttempts {
		err = step()
		if !hasCode(err, codeDuplicateObject, codeUniqueViolation, codeInternalError) {
			return err
		}
	}
	return err
}

// sqlMissingRoles lists those of the roles $1 (text[]) that do not exist.
const sqlMissingRoles = `
SELECT r FROM unnest($1::text[]) AS r
WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r)`

func ensureGroups(ctx context.Context, c *pgx.Conn) error {
	rows, err := c.Query(ctx, sqlMissingRoles, allRoles)
	if err != nil {
		return err
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, role := range missing {
		_, err := c.Exec(ctx, "CREATE ROLE "+pgx.Identifier{role}.Sanitize()+" NOLOGIN")
		if hasCode(err, codeInsufficientPrivilege) {
			return fmt.Errorf("this login may not create roles; have a superuser run: CREATE ROLE %s NOLOGIN; CREATE ROLE %s NOLOGIN: %w", EngineRole, APIRole, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sqlNotSettable16 lists those of the roles $1 (text[]) that the current user
// may not yet take on by SET ROLE. From 16 on a membership says
// whether it allows that; before, every member may. Superusers always may.
const sqlNotSettable16 = `
SELECT r FROM unnest($1::text[]) AS r
WHERE NOT pg_has_role(current_user, r, 'SET')`

const sqlNotSettable15 = `
SELECT r FROM unnest($1::text[]) AS r
WHERE NOT pg_has_role(current_user, r, 'MEMBER')`

// ensureMembership grants the roles to the current user where it lacks them. A
// user who may not grant them is left as it is: only installations with one
// login for everything need it, and there Pool fails and says so.
func ensureMembership(ctx context.Context, c *pgx.Conn) error {
	var version int
	if err := c.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return err
	}
	query, options := sqlNotSettable15, ""
	if version >= 160000 {
		// Not inherited: the owner sees all tenants, as the engine does, only
		// after it says SET ROLE. On 15 the login's own NOINHERIT decides.
		query, options = sqlNotSettable16, " WITH INHERIT FALSE, SET TRUE"
	}
	rows, err := c.Query(ctx, query, allRoles)
	if err != nil {
		return err
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, role := range missing {
		_, err := c.Exec(ctx, "GRANT "+pgx.Identifier{role}.Sanitize()+" TO CURRENT_USER"+options)
		if hasCode(err, codeInsufficientPrivilege) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// connect is pgx.Connect that never quotes a bad URL.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, ErrBadURL
	}
	return pgx.ConnectConfig(ctx, cfg)
}

func hasCode(err error, codes ...string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && slices.Contains(codes, pgErr.Code)
}
