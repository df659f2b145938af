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

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// database checks the logins of a database that was given, and what they lead to.
func (c *configCheck) database(ctx context.Context, d *database) {
	if !c.servers(ctx, d) {
		return
	}
	if !c.schema(ctx, d) {
		return
	}
	c.role(ctx, "DATABASE_URL", d.Engine, postgres.EngineRole, func(pool *pgxpool.Pool) {
		c.durability(ctx, pool)
		c.slots(ctx, pool)
	})
	c.role(ctx, "DOCKET_API_DATABASE_URL", d.API, postgres.APIRole, func(pool *pgxpool.Pool) {
		beyond, err := postgres.Beyond(ctx, pool, postgres.APIRole)
		switch {
		case err != nil:
			c.add("wall", unknown, "%v", err)
		case beyond != "":
			c.add("wall", doubt, "the login that reads %s: %s", beyond, d.wallHint())
		default:
			c.add("wall", good, "the login that reads can do nothing else")
		}
	})
}

// servers asks each login what it leads to, and reports whether all are fit.
func (c *configCheck) servers(ctx context.Context, d *database) bool {
	fit, first := true, ""
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
			c.add(login.variable, blame(err), "%v", err)
			fit = false
			if first == "" {
				return false // the others can't be compared with it
			}
			continue
		case first == "":
			first = s.place
		case s.place != first:
			c.add(login.variable, bad, "names another database, or another server, than DATABASE_URL")
			fit = false
			continue
		}
		if s.major > newestPostgres {
			c.add(login.variable, doubt, "leads to Postgres %d; docket was tried on none above %d", s.major, newestPostgres)
			continue
		}
		c.add(login.variable, good, "leads to Postgres %d", s.major)
	}
	return fit
}

// blame says whether an error is a setting's fault. It isn't where nobody answers,
// which may be over soon.
func blame(err error) result {
	var refused *pgconn.PgError
	var connecting *pgconn.ConnectError
	switch {
	case errors.As(err, &refused):
		// Class 28 is a wrong login or password, 3D a database that isn't there,
		// 42 a missing grant or role.
		for _, class := range []string{"28", "3D", "42"} {
			if strings.HasPrefix(refused.Code, class) {
				return bad
			}
		}
		return unknown
	case errors.As(err, &connecting), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return unknown
	}
	return bad
}

// schema compares the schema with this program's, and reports whether logins can
// take on their roles already.
func (c *configCheck) schema(ctx context.Context, d *database) (there bool) {
	current, target, err := migrations.Pending(ctx, d.Engine)
	switch {
	case err != nil:
		c.add("schema", blame(err), "%v", err)
		return false
	case current > target:
		c.add("schema", bad, "is at version %d, of a newer docket; this one knows %d: start the newer one", current, target)
	case current < target && (d.Private || c.settings.Migrate):
		c.add("schema", good, "is at version %d; serve brings it to %d", current, target)
	case current < target:
		c.add("schema", bad, "is at version %d, this docket needs %d: run docket migrate, or set DOCKET_MIGRATE=true", current, target)
	default:
		c.add("schema", good, "is at version %d, which is this docket's", current)
	}
	return current > 0
}

// role opens a session that takes on a role, as serve's do.
func (c *configCheck) role(ctx context.Context, variable, url string, role postgres.Role, more func(*pgxpool.Pool)) {
	pool, err := postgres.Pool(ctx, url, postgres.PoolConfig{Role: role, MaxConns: 1, AppName: "docket config check"})
	if err != nil {
		c.add("role "+string(role), blame(err), "%s: %v", variable, err)
		return
	}
	defer pool.Close()
	c.add("role "+string(role), good, "the login may take it on")
	if more != nil {
		more(pool)
	}
}

// durability checks that the server keeps what it acknowledges.
func (c *configCheck) durability(ctx context.Context, engine *pgxpool.Pool) {
	if c.onUnsafePostgres {
		return
	}
	found, err := postgres.AskDurability(ctx, engine)
	switch {
	case err != nil:
		c.add("durability", unknown, "%v", err)
	case len(found.Off) > 0:
		c.add("durability", bad, "%v; serve would never be ready", &unsafeError{found.Off})
	case !found.Checksums:
		c.add("durability", doubt, "Postgres writes no data checksums: stop it and run pg_checksums --enable")
	default:
		c.add("durability", good, "Postgres keeps what it acknowledges, and its pages have checksums")
	}
}

// slots checks that the database has room for this server's connections.
func (c *configCheck) slots(ctx context.Context, engine *pgxpool.Pool) {
	slots, err := postgres.Slots(ctx, engine)
	switch needed := connsNeeded(); {
	case err != nil:
		c.add("connections", unknown, "%v", err)
	case slots < needed:
		c.add("connections", doubt, "the database has room for %d, one server may need %d: %s", slots, needed, slotsHint)
	default:
		c.add("connections", good, "the database has room for %d, one server may need %d", slots, needed)
	}
}

// private checks the data directory, and the Postgres in it where a server runs.
func (c *configCheck) private(ctx context.Context) {
	dir := c.settings.DataDir
	version, err := os.ReadFile(filepath.Join(dir, "postgres", "PG_VERSION"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.fresh(ctx, dir)
		return
	case errors.Is(err, fs.ErrPermission):
		c.add("data directory", unknown, "this user may not look into %s", dir)
		return
	case err != nil:
		c.add("data directory", bad, "%v", err)
		return
	}
	running, ok := postgres.Running(dir)
	if !ok {
		c.add("data directory", good, "%s has the data of a Postgres %s, which isn't running: its schema was not looked at", dir, strings.TrimSpace(string(version)))
		return
	}
	c.add("data directory", good, "%s: its Postgres %s is running", dir, strings.TrimSpace(string(version)))
	c.schema(ctx, &database{Engine: running.URL(postgres.EngineLogin, postgres.Database), Private: true})
}

// fresh checks that a data directory can be made, and a Postgres in it.
func (c *configCheck) fresh(ctx context.Context, dir string) {
	above, err := existing(dir)
	if err == nil {
		err = syscall.Access(above, accessWrite)
	}
	if err != nil {
		c.add("data directory", bad, "%s can't be used: %v", dir, err)
		return
	}
	c.add("data directory", good, "%s: serve makes a new database there", dir)
	found, err := postgres.Find(ctx)
	if err != nil {
		c.add("postgres", doubt, "none is installed: serve would download one (apt-get install postgresql)")
		return
	}
	c.add("postgres", good, "Postgres %d in %s", found.Major, found.Dir)
}

// accessWrite asks access(2) whether one may write to a directory and enter it
// (W_OK and X_OK, the same on every Unix).
const accessWrite = 2 | 1

// existing is a directory, or the nearest one above it that there is.
func existing(dir string) (string, error) {
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
