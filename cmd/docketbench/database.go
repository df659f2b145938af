package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"docket/internal/postgres"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// spareConnections are left for everything but raw INSERTs.
const spareConnections = 100

// appName is shown in pg_stat_activity.
const appName = "docketbench"

// database is what is measured: the connection strings of the three logins.
type database struct {
	Owner, Engine, API string
	server             *postgres.Server // a private Postgres, or nil
	dir                string           // for the private Postgres and other temporary files
	conns              int              // max_connections
}

// openDatabase opens the database of DATABASE_URL, or starts a private Postgres with
// conns connections. Its schema may be missing. close removes what it made, after an
// error too.
func (p *program) openDatabase(ctx context.Context, conns int) (_ *database, err error) {
	given := p.environ["DATABASE_URL"]
	d := &database{Owner: cmp.Or(p.environ["DOCKET_OWNER_DATABASE_URL"], given), Engine: given, API: cmp.Or(p.environ["DOCKET_API_DATABASE_URL"], given)}
	parents := []string{p.dir}
	if p.dir == "" {
		parents = []string{os.TempDir(), "/var/tmp", "/tmp"}
	}
	if d.dir, err = postgres.TempDir("docketbench-", parents...); err != nil {
		return d, fmt.Errorf("no directory for temporary files (see --dir): %w", err)
	}
	if given == "" {
		if d.server, err = postgres.Start(ctx, postgres.Config{DataDir: d.dir, MaxConnections: conns}); err != nil {
			return d, err
		}
		d.Owner = d.server.URL(postgres.OwnerLogin, postgres.Database)
		d.Engine = d.server.URL(postgres.EngineLogin, postgres.Database)
		d.API = d.server.URL(postgres.APILogin, postgres.Database)
	}
	c, err := connect(ctx, d.Owner)
	if err != nil {
		return d, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var settings string
	var durable bool
	if err := c.QueryRow(ctx, sqlSettings).Scan(&settings, &d.conns, &durable); err != nil {
		return d, err
	}
	p.note("%s\nPostgres: %s", machine(), settings)
	if !durable || d.inMemory() {
		p.note("WARNING: this Postgres is not durable; the figures say nothing about production")
	}
	return d, nil
}

// sqlSettings reads the settings that decide how fast a Postgres may be, its connections,
// and whether what it acknowledges survives a crash of the machine.
const sqlSettings = `
SELECT string_agg(name || ' ' || current_setting(name), ', '), current_setting('max_connections')::int,
  current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AND current_setting('synchronous_commit') <> 'off'
FROM unnest('{server_version,fsync,synchronous_commit,full_page_writes,wal_sync_method,data_checksums,shared_buffers,max_wal_size,min_wal_size}'::text[]) AS t (name)`

// inMemory reports whether a private Postgres writes to a tmpfs of Linux.
func (d *database) inMemory() bool {
	const tmpfsMagic = 0x01021994
	var st syscall.Statfs_t
	return d.server != nil && syscall.Statfs(d.dir, &st) == nil && int64(st.Type) == tmpfsMagic
}

// close stops a private Postgres and removes the directory.
func (d *database) close(ctx context.Context) (err error) {
	if d.server != nil {
		err = d.server.Stop(ctx)
	}
	if d.dir != "" {
		err = errors.Join(err, os.RemoveAll(d.dir))
	}
	return err
}

// pid of a private Postgres; 0 of another.
func (d *database) pid() int {
	if d.server == nil {
		return 0
	}
	return d.server.PID()
}

// pool opens a pool of the engine's role.
func (d *database) pool(ctx context.Context, conns int) (*pgxpool.Pool, error) {
	return postgres.Pool(ctx, d.Engine, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: int32(conns), AppName: appName})
}

func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, postgres.ErrBadURL
	}
	cfg.RuntimeParams["application_name"] = appName
	return pgx.ConnectConfig(ctx, cfg)
}

// execute runs statements in a session of their own.
func execute(ctx context.Context, url string, statements ...string) error {
	c, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	for _, sql := range statements {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// tidy does what autovacuum would do during the measurement, and lets a private Postgres
// use the files of its write-ahead log again.
func (d *database) tidy(ctx context.Context) error {
	err := execute(ctx, d.Owner, `VACUUM (ANALYZE) events`, `VACUUM (ANALYZE) tenant_logs`)
	if err != nil || d.server == nil {
		return err
	}
	return execute(ctx, d.server.URL(postgres.Superuser, postgres.Database), `CHECKPOINT`)
}
