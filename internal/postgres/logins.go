package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Login is a role that logs in to the private Postgres.
type Login string

const (
	// Superuser makes the others and is used for nothing else.
	Superuser Login = "postgres"
	// OwnerLogin runs the migrations and owns database and tables. It is no
	// superuser, so row-level security FORCEd on a table holds for it too, and it
	// does not inherit from the group roles, so it sees by its own policies only.
	OwnerLogin Login = "docket_owner"
	// EngineLogin is a member of EngineRole.
	EngineLogin Login = "docket_engine_login"
	// APILogin is a member of APIRole and of nothing else.
	APILogin Login = "docket_api_login"
)

// Database is the name of Docket's database in the private Postgres.
const Database = "docket"

// sqlDatabaseExists reports whether there is a database of the name $1.
const sqlDatabaseExists = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`

func (s *Server) bootstrap(ctx context.Context) error {
	if err := EnsureLogins(ctx, s.URL(Superuser, "postgres"), ""); err != nil {
		return err
	}
	c, err := connect(ctx, s.URL(Superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	// CREATE DATABASE has no IF NOT EXISTS, and its refusal would be a line in the server's
	// log at each start. No other docket has this data directory.
	var exists bool
	if err := c.QueryRow(ctx, sqlDatabaseExists, Database).Scan(&exists); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if !exists {
		if _, err := c.Exec(ctx, "CREATE DATABASE "+Database+" OWNER "+string(OwnerLogin)); err != nil {
			return fmt.Errorf("postgres: %w", err)
		}
	}
	return OwnSchema(ctx, s.URL(Superuser, Database))
}

// OwnSchema gives the schema public of the database that superuserURL names to
// OwnerLogin. Owning the database does not suffice: public belongs to
// pg_database_owner, from which a login that does not inherit gets nothing.
func OwnSchema(ctx context.Context, superuserURL string) error {
	c, err := connect(ctx, superuserURL)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	if _, err := c.Exec(ctx, "ALTER SCHEMA public OWNER TO "+string(OwnerLogin)); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// sqlMissingLogins is sqlMissingRoles for logins: $1 are their names (text[]).
const sqlMissingLogins = sqlMissingRoles

// EnsureLogins makes OwnerLogin, EngineLogin and APILogin, and the group roles,
// on the server that superuserURL names. password is for servers that ask for
// one; the private Postgres does not.
func EnsureLogins(ctx context.Context, superuserURL, password string) error {
	if err := EnsureRoles(ctx, superuserURL); err != nil {
		return err
	}
	c, err := connect(ctx, superuserURL)
	if err != nil {
		return fmt.Errorf("logins: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	if err := untilRaceIsOver(func() error { return ensureLogins(ctx, c, password) }); err != nil {
		return fmt.Errorf("logins: %w", err)
	}
	return nil
}

func ensureLogins(ctx context.Context, c *pgx.Conn, password string) error {
	rows, err := c.Query(ctx, sqlMissingLogins, []Login{OwnerLogin, EngineLogin, APILogin})
	if err != nil {
		return err
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[Login])
	if err != nil {
		return err
	}
	for _, login := range missing {
		var quoted string
		if err := c.QueryRow(ctx, `SELECT quote_literal($1::text)`, password).Scan(&quoted); err != nil {
			return err
		}
		statement := "CREATE ROLE " + string(login) + " LOGIN"
		if password != "" {
			statement += " PASSWORD " + quoted
		}
		switch login {
		case OwnerLogin:
			statement += " NOINHERIT CREATEROLE IN ROLE " + string(EngineRole) + ", " + string(APIRole)
		case EngineLogin:
			statement += " IN ROLE " + string(EngineRole)
		case APILogin:
			statement += " IN ROLE " + string(APIRole)
		}
		if _, err := c.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
