package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"docket/internal/postgres"
	"docket/migrations"

	"github.com/jackc/pgx/v5"
)

// The oldest Postgres that has all that the migrations use, and the newest that docket
// is tested on.
const (
	oldestPostgres = 15
	newestPostgres = 18
)

// connectTimeout is how long a check may take to reach a server.
const connectTimeout = 10 * time.Second

// sqlServer reads the version of a server, whether it is a standby, its encoding, and
// the identity of the database and its server.
const sqlServer = `
SELECT current_setting('server_version_num')::int / 10000, pg_is_in_recovery(), current_setting('server_encoding'),
       current_database() || ' ' || pg_postmaster_start_time()`

// sqlForeign reports whether the schema public is another program's: it has tables,
// other than those of extensions, but not docket's.
const sqlForeign = `
SELECT to_regclass('public.tenant_logs') IS NULL AND EXISTS (
  SELECT 1 FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'goose_db_version'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'))`

// checkServer refuses a database that does not suit docket: Postgres before 15, a
// standby, an encoding other than UTF8, another program's tables, and logins that lead
// to different databases.
func checkServer(ctx context.Context, d *database, log *slog.Logger) error {
	if d.Private {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var first string
	for _, login := range []struct{ variable, url string }{
		{"DATABASE_URL", d.Engine},
		{"DOCKET_API_DATABASE_URL", d.API},
		{"DOCKET_OWNER_DATABASE_URL", d.Owner},
	} {
		if first != "" && login.url == d.Engine {
			continue
		}
		identity, err := inspectServer(ctx, login.url, log)
		if err != nil {
			return fmt.Errorf("%s %w", login.variable, err)
		}
		if first == "" {
			first = identity
		}
		if identity != first {
			return fmt.Errorf("%s names another database, or another server, than DATABASE_URL", login.variable)
		}
	}
	return nil
}

// inspectServer checks one login and returns the identity of its database.
func inspectServer(ctx context.Context, url string, log *slog.Logger) (identity string, err error) {
	s, err := askServer(ctx, url)
	if err != nil {
		return "", err
	}
	if s.major > newestPostgres {
		log.WarnContext(ctx, "docket is not tested on this Postgres", "version", s.major, "newest_tested", newestPostgres)
	}
	return s.identity, s.refuse()
}

// askServer connects to a server and describes it.
func askServer(ctx context.Context, url string) (s server, err error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return s, postgres.ErrBadURL
	}
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return s, fmt.Errorf("can't be reached: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	if err := c.QueryRow(ctx, sqlServer).Scan(&s.major, &s.standby, &s.encoding, &s.identity); err != nil {
		return s, err
	}
	return s, c.QueryRow(ctx, sqlForeign).Scan(&s.foreign)
}

// server describes a database and its server.
type server struct {
	major    int
	standby  bool
	encoding string
	// foreign: the tables are another program's.
	foreign bool
	// identity is the same for two logins that lead to the same database.
	identity string
}

// refuse returns why docket can't use the server, or nil.
func (s server) refuse() error {
	switch {
	case s.major < oldestPostgres:
		return fmt.Errorf("is Postgres %d; docket needs %d to %d", s.major, oldestPostgres, newestPostgres)
	case s.standby:
		return errors.New("is a standby that can only be read; docket needs the primary")
	case s.encoding != "UTF8":
		return fmt.Errorf("is a database in the encoding %s; docket needs UTF8", s.encoding)
	case s.foreign:
		return errors.New("is a database with another program's tables; docket needs one of its own")
	}
	return nil
}

// schemaFits reports whether the schema is at this program's version.
func schemaFits(ctx context.Context, d *database) (bool, error) {
	current, target, err := migrations.Pending(ctx, d.Engine)
	return current == target, err
}

// requireSchema refuses a schema at another version, and says what to do.
func requireSchema(ctx context.Context, d *database) error {
	current, target, err := migrations.Pending(ctx, d.Engine)
	switch {
	case err != nil:
		return err
	case current > target:
		return fmt.Errorf("the database's schema is at version %d, of a newer docket; this one knows %d: start the newer one", current, target)
	case current < target && d.Private:
		return fmt.Errorf("the database's schema is at version %d, this docket needs %d: run docket migrate, or start docket serve", current, target)
	case current < target:
		return fmt.Errorf("the database's schema is at version %d, this docket needs %d: run docket migrate, or serve with DOCKET_MIGRATE=true", current, target)
	}
	return nil
}
