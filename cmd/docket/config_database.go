package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"docket/internal/postgres"
	"docket/migrations"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// database checks the logins of the database that DATABASE_URL names.
func (c *configCheck) database(ctx context.Context, d *database) {
	if !c.servers(ctx, d) {
		return
	}
	if !c.schema(ctx, d) {
		return
	}
	c.owner(ctx, d)
	c.role(ctx, "DATABASE_URL", d.Engine, postgres.EngineRole, func(pool *pgxpool.Pool) {
		c.access(ctx, "DATABASE_URL", pool, postgres.EngineRole)
		c.durability(ctx, pool)
		c.slots(ctx, pool)
	})
	c.role(ctx, "DOCKET_API_DATABASE_URL", d.API, postgres.APIRole, func(pool *pgxpool.Pool) {
		c.access(ctx, "DOCKET_API_DATABASE_URL", pool, postgres.APIRole)
		beyond, err := postgres.Beyond(ctx, pool, postgres.APIRole)
		switch {
		case err != nil:
			c.add("wall", resultUnknown, "%v", err)
		case beyond != "":
			c.add("wall", resultWarning, "the login that reads %s: %s", beyond, d.wallHint())
		default:
			c.add("wall", resultOK, "the login that reads can do nothing else")
		}
	})
}

// servers checks the server of each login, and reports whether all suit.
func (c *configCheck) servers(ctx context.Context, d *database) bool {
	suit, first := true, ""
	for _, login := range []struct{ variable, url string }{
		{"DATABASE_URL", d.Engine},
		{"DOCKET_API_DATABASE_URL", d.API},
		{"DOCKET_OWNER_DATABASE_URL", d.Owner},
	} {
		if first != "" && login.url == d.Engine {
			continue
		}
		s, err := askServer(ctx, login.url)
		if err == nil {
			err = s.refuse()
		}
		switch {
		case err != nil:
			c.add(login.variable, resultOf(err), "%v", err)
			suit = false
			if first == "" {
				return false // the others can't be compared with it
			}
			continue
		case first == "":
			first = s.identity
		case s.identity != first:
			c.add(login.variable, resultProblem, "names another database, or another server, than DATABASE_URL")
			suit = false
			continue
		}
		if s.major > newestPostgres {
			c.add(login.variable, resultWarning, "leads to Postgres %d; docket is tested up to %d", s.major, newestPostgres)
			continue
		}
		c.add(login.variable, resultOK, "leads to Postgres %d", s.major)
	}
	return suit
}

// resultOf says whether an error is the fault of a setting. A server that does not
// answer is not: that may pass.
func resultOf(err error) result {
	var refused *pgconn.PgError
	var connecting *pgconn.ConnectError
	switch {
	case errors.As(err, &refused):
		// Class 28 is a wrong login or password, 3D a database that isn't there,
		// 42 a missing grant or role.
		for _, class := range []string{"28", "3D", "42"} {
			if strings.HasPrefix(refused.Code, class) {
				return resultProblem
			}
		}
		return resultUnknown
	case errors.As(err, &connecting), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return resultUnknown
	}
	return resultProblem
}

// schema compares the schema with this program's, and reports whether the logins' roles
// exist.
func (c *configCheck) schema(ctx context.Context, d *database) (there bool) {
	current, target, err := migrations.Pending(ctx, d.Engine)
	switch {
	case err != nil:
		c.add("schema", resultOf(err), "%v", err)
		return false
	case current > target:
		c.add("schema", resultProblem, "is at version %d, of a newer docket; this one knows %d: start the newer one", current, target)
	case current < target && (d.Private || c.settings.Migrate):
		c.add("schema", resultOK, "is at version %d; serve brings it to %d", current, target)
	case current < target:
		c.add("schema", resultProblem, "is at version %d, this docket needs %d: run docket migrate, or set DOCKET_MIGRATE=true", current, target)
	default:
		c.add("schema", resultOK, "is at version %d, which is this docket's", current)
	}
	return current > 0
}

// role opens a session with a role, as serve does.
func (c *configCheck) role(ctx context.Context, variable, url string, role postgres.Role, more func(*pgxpool.Pool)) {
	pool, err := postgres.Pool(ctx, url, postgres.PoolConfig{Role: role, MaxConns: 1, AppName: "docket config check"})
	if err != nil {
		c.add("role "+string(role), resultOf(err), "%s: %v", variable, err)
		return
	}
	defer pool.Close()
	c.add("role "+string(role), resultOK, "the login may use it")
	if more != nil {
		more(pool)
	}
}

// access checks that a login can do what its role does.
func (c *configCheck) access(ctx context.Context, variable string, pool *pgxpool.Pool, role postgres.Role) {
	if current, target, err := migrations.Pending(ctx, c.settings.DatabaseURL); err != nil || current != target {
		return // serve migrates first; the schema's check says so
	}
	grants, err := migrations.Grants()
	if err == nil {
		err = postgres.CheckAccess(ctx, pool, role, grants)
	}
	var lacks *postgres.AccessError
	switch {
	case errors.As(err, &lacks):
		c.add("rights "+string(role), resultProblem, "%s: %v", variable, err)
	case err != nil:
		c.add("rights "+string(role), resultUnknown, "%s: %v", variable, err)
	default:
		c.add("rights "+string(role), resultOK, "the login can read and write what it has to")
	}
}

// sqlOwner reads the owner of docket's tables, the login, and whether the login can migrate.
const sqlOwner = `SELECT pg_get_userbyid(c.relowner), current_user, pg_has_role(current_user, c.relowner, 'MEMBER')
FROM pg_class c WHERE c.oid = to_regclass('public.tenant_logs')`

// owner checks that the login that migrates owns the tables, and no other of several does.
func (c *configCheck) owner(ctx context.Context, d *database) {
	if d.Owner == d.Engine {
		return
	}
	owner, login, may, err := askOwner(ctx, d.Owner)
	if err != nil {
		return // the schema's check says what is missing
	}
	if may {
		if _, engine, owns, err := askOwner(ctx, d.Engine); err == nil && owns && engine != login {
			c.add("owner", resultWarning, "the login %s of DATABASE_URL owns the tables: is it the one for DOCKET_OWNER_DATABASE_URL?", engine)
		}
		return
	}
	hint := "docket migrate needs that login"
	for _, other := range []struct{ variable, url string }{{"DATABASE_URL", d.Engine}, {"DOCKET_API_DATABASE_URL", d.API}} {
		if _, _, owns, err := askOwner(ctx, other.url); err == nil && owns {
			hint = "is it swapped with " + other.variable + "?"
		}
	}
	c.add("owner", resultProblem, "the login %s of DOCKET_OWNER_DATABASE_URL doesn't own the tables, %s does: %s", login, owner, hint)
}

func askOwner(ctx context.Context, url string) (owner, login string, may bool, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", "", false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, sqlOwner).Scan(&owner, &login, &may)
	return owner, login, may, err
}

// durability checks that the server keeps acknowledged commits.
func (c *configCheck) durability(ctx context.Context, engine *pgxpool.Pool) {
	if c.onUnsafePostgres {
		return
	}
	found, err := postgres.AskDurability(ctx, engine)
	switch {
	case err != nil:
		c.add("durability", resultUnknown, "%v", err)
	case len(found.Off) > 0:
		c.add("durability", resultProblem, "%v; serve would never be ready", &unsafeError{found.Off})
	case !found.Checksums:
		c.add("durability", resultWarning, "Postgres writes no data checksums: stop it and run pg_checksums --enable")
	default:
		c.add("durability", resultOK, "Postgres keeps what it acknowledges, and its pages have checksums")
	}
}

// slots checks that the database has room for this server's connections.
func (c *configCheck) slots(ctx context.Context, engine *pgxpool.Pool) {
	slots, err := postgres.Slots(ctx, engine)
	switch needed := connsNeeded(); {
	case err != nil:
		c.add("connections", resultUnknown, "%v", err)
	case slots < needed:
		c.add("connections", resultWarning, "the database has room for %d, one server may need %d: %s", slots, needed, slotsHint)
	default:
		c.add("connections", resultOK, "the database has room for %d, one server may need %d", slots, needed)
	}
}

// dataDir checks the data directory, and the Postgres in it if a server runs.
func (c *configCheck) dataDir(ctx context.Context) {
	dir := c.settings.DataDir
	version, err := os.ReadFile(filepath.Join(dir, "postgres", "PG_VERSION"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.newDataDir(ctx, dir)
		return
	case errors.Is(err, fs.ErrPermission):
		c.add("data directory", resultUnknown, "this user may not look into %s", dir)
		return
	case err != nil:
		c.add("data directory", resultProblem, "%v", err)
		return
	}
	running, ok := postgres.Running(dir)
	if !ok {
		c.add("data directory", resultOK, "%s has the data of a Postgres %s, which isn't running: its schema was not checked", dir, strings.TrimSpace(string(version)))
		return
	}
	c.add("data directory", resultOK, "%s: its Postgres %s is running", dir, strings.TrimSpace(string(version)))
	c.schema(ctx, &database{Engine: running.URL(postgres.EngineLogin, postgres.Database), Private: true})
}

// newDataDir checks that a data directory, and a Postgres in it, can be created.
func (c *configCheck) newDataDir(ctx context.Context, dir string) {
	parent, err := existingDir(dir)
	if err == nil {
		err = syscall.Access(parent, accessWrite)
	}
	if err != nil {
		c.add("data directory", resultProblem, "%s can't be used: %v", dir, err)
		return
	}
	c.add("data directory", resultOK, "%s: serve creates a new database there", dir)
	found, err := postgres.Find(ctx)
	if err != nil {
		c.add("postgres", resultWarning, "none is installed: serve would download one (apt-get install postgresql)")
		return
	}
	c.add("postgres", resultOK, "Postgres %d in %s", found.Major, found.Dir)
}

// accessWrite is W_OK and X_OK of access(2), the same on every Unix: the user may write
// to a directory and enter it.
const accessWrite = 2 | 1

// existingDir is a directory, or the nearest existing one above it.
func existingDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir):
			dir = filepath.Dir(dir)
			continue
		case err != nil:
			return "", err
		case !info.IsDir():
			return "", fmt.Errorf("%s is no directory", dir)
		}
		return dir, nil
	}
}
