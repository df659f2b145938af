//go:build linux

package faults_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"docket/internal/pgtest"
	"docket/internal/postgres"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cluster is a Postgres as an operator has it: durable, on a disk. Only its
// address is unusual, a Unix socket, which the proxies lead to.
type cluster struct {
	t      *testing.T
	dir    string
	server *postgres.Server
}

// lazyWAL lets only a commit that waits write the log ahead: a killed Postgres then
// loses what it was not asked to make safe.
const lazyWAL = `
alter system set wal_writer_delay = '10s';
alter system set wal_writer_flush_after = '1GB';
select pg_reload_conf()`

// maxConnections is room for both replicas and one more, whose sessions are those
// that a fault has cut off and Postgres has not noticed yet, as docs/operations.md
// asks for, and for those of the test.
const maxConnections = 3*68 + 32

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: pgtest.MigratedDiskDir(t)}
	c.start()
	t.Cleanup(func() {
		if err := c.server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	admin := c.session(postgres.Superuser, "postgres")
	for statement := range strings.SplitSeq(strings.TrimSpace(lazyWAL), ";\n") {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *cluster) start() {
	c.t.Helper()
	var err error
	if c.server, err = postgres.Start(c.t.Context(), postgres.Config{DataDir: c.dir, MaxConnections: maxConnections}); err != nil {
		c.t.Fatal(err)
	}
}

// socket is the path of the socket.
func (c *cluster) socket() string {
	c.t.Helper()
	cfg, err := pgx.ParseConfig(c.url(postgres.Superuser))
	if err != nil {
		c.t.Fatal(err)
	}
	return filepath.Join(cfg.Host, ".s.PGSQL.5432")
}

func (c *cluster) url(login postgres.Login) string { return c.server.URL(login, postgres.Database) }

// kill ends all processes of the server at once, with no chance to write
// anything. It returns how many there were.
func (c *cluster) kill() int {
	c.t.Helper()
	n, err := killFamily(c.server.PID())
	if err != nil {
		c.t.Fatal(err)
	}
	<-c.server.Exited()
	if err := c.server.Stop(context.Background()); err != nil { // lets go of the directory
		c.t.Fatal(err)
	}
	return n
}

// walWriter signals the process that writes the log for those who don't wait.
func (c *cluster) walWriter(sig syscall.Signal) error {
	for _, p := range childrenOf(c.server.PID()) {
		if strings.Contains(p.command, "walwriter") {
			return syscall.Kill(p.pid, sig)
		}
	}
	return errors.New("Postgres has no walwriter")
}

// session is a connection of its own, past all proxies.
func (c *cluster) session(login postgres.Login, database string) *pgx.Conn {
	c.t.Helper()
	conn, err := pgx.Connect(c.t.Context(), c.server.URL(login, database))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// pool is a pool past all proxies, as a role ("" the login's own).
func (c *cluster) pool(login postgres.Login, role postgres.Role) *pgxpool.Pool {
	c.t.Helper()
	p, err := postgres.Pool(c.t.Context(), c.url(login), postgres.PoolConfig{Role: role, MaxConns: 4, AppName: "faults"})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(p.Close)
	return p
}
