package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"syscall"

	"docket/internal/postgres"
	"docket/migrations"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// database is what is measured: the connection strings of the three logins.
type database struct {
	Owner, Engine, API string
	// server and dir are those of a private Postgres.
	server *postgres.Server
	dir    string
}

// openDatabase finds the database, or makes a private one whose Postgres takes
// conns connections, and brings its schema to this version.
func (p *program) openDatabase(ctx context.Context, parent string, conns int) (_ *database, err error) {
	d := &database{}
	if given := p.environ["DATABASE_URL"]; given != "" {
		d.Owner, d.Engine, d.API = given, given, given
		if s := p.environ["DOCKET_OWNER_DATABASE_URL"]; s != "" {
			d.Owner = s
		}
		if s := p.environ["DOCKET_API_DATABASE_URL"]; s != "" {
			d.API = s
		}
	} else if err := d.startPrivate(ctx, parent, conns); err != nil {
		return nil, err
	}
	if err := migrations.Up(ctx, d.Owner, nil); err != nil {
		return nil, errors.Join(err, d.close(p.atOnce))
	}
	return d, nil
}

func (d *database) startPrivate(ctx context.Context, parent string, conns int) (err error) {
	if d.dir, err = tempDir(parent); err != nil {
		return err
	}
	d.server, err = postgres.Start(ctx, postgres.Config{DataDir: d.dir, MaxConnections: conns})
	if err != nil {
		return errors.Join(err, os.RemoveAll(d.dir))
	}
	d.Owner = d.server.URL(postgres.OwnerLogin, postgres.Database)
	d.Engine = d.server.URL(postgres.EngineLogin, postgres.Database)
	d.API = d.server.URL(postgres.APILogin, postgres.Database)
	return nil
}

// tempDir makes a directory that the user can enter whom Postgres runs as.
func tempDir(parent string) (string, error) {
	parents := []string{os.TempDir(), "/var/tmp", "/tmp"}
	if parent != "" {
		parents = []string{parent}
	}
	dir, err := postgres.TempDir("docketbench-", parents...)
	if err != nil {
		return "", fmt.Errorf("no directory for the private Postgres (see --dir): %w", err)
	}
	return dir, nil
}

// close ends a private Postgres and removes it.
func (d *database) close(ctx context.Context) error {
	if d.server == nil {
		return nil
	}
	return errors.Join(d.server.Stop(ctx), os.RemoveAll(d.dir))
}

// tmpfsMagic is the type that statfs(2) tells of a file system in memory on Linux.
const tmpfsMagic = 0x01021994

// inMemory reports whether a private Postgres writes to memory, where fsync costs
// nothing and every figure is too good.
func (d *database) inMemory() bool {
	var st syscall.Statfs_t
	return d.dir != "" && syscall.Statfs(d.dir, &st) == nil && int64(st.Type) == tmpfsMagic
}

// storePools are the pools of an eventstore.Store, as docket serve makes them.
type storePools struct{ engine, api *pgxpool.Pool }

func (d *database) openStorePools(ctx context.Context) (*storePools, error) {
	engine, err := postgres.Pool(ctx, d.Engine, postgres.PoolConfig{
		Role: postgres.EngineRole, MaxConns: postgres.AppendConns, AppName: "docketbench",
	})
	if err != nil {
		return nil, err
	}
	api, err := postgres.Pool(ctx, d.API, postgres.PoolConfig{
		Role: postgres.APIRole, MaxConns: postgres.ReadConns, AppName: "docketbench",
	})
	if err != nil {
		engine.Close()
		return nil, err
	}
	return &storePools{engine, api}, nil
}

func (p *storePools) close() {
	p.api.Close()
	p.engine.Close()
}

// connect opens a session of the owner in a database of the same server; empty:
// in Docket's. It has none of the limits that the roles of docket have.
func (d *database) connect(ctx context.Context, other string) (*pgx.Conn, error) {
	where := d.Owner
	if other != "" {
		u, err := url.Parse(d.Owner)
		if err != nil || u.Scheme == "" {
			return nil, postgres.ErrBadURL
		}
		u.Path = "/" + other
		where = u.String()
	}
	cfg, err := pgx.ParseConfig(where)
	if err != nil {
		return nil, postgres.ErrBadURL
	}
	cfg.RuntimeParams["application_name"] = "docketbench"
	return pgx.ConnectConfig(ctx, cfg)
}

// checkpoint makes a private Postgres write out what it has in memory. Elsewhere
// that is a right which we needn't have.
func (d *database) checkpoint(ctx context.Context) error {
	if d.server == nil {
		return nil
	}
	c, err := pgx.Connect(ctx, d.server.URL(postgres.Superuser, postgres.Database))
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	_, err = c.Exec(ctx, `CHECKPOINT`)
	return err
}

// pid of a private Postgres; 0 of another.
func (d *database) pid() int {
	if d == nil || d.server == nil {
		return 0
	}
	return d.server.PID()
}
