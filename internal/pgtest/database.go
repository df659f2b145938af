package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/postgres"
)

// DB is a database of one test. The URLs are what a deployment would have: as
// DOCKET_OWNER_DATABASE_URL, DATABASE_URL and DOCKET_API_DATABASE_URL they make a
// real docket binary use it.
type DB struct {
	Name      string
	OwnerURL  string // migrations: owns the tables, is no superuser
	EngineURL string // a member of postgres.EngineRole
	APIURL    string // a member of postgres.APIRole
}

// New makes a migrated database. It is dropped when the test ends, with whatever
// sessions are then still in it.
func New(t testing.TB) *DB { return newDB(t, true) }

// Empty makes a database without any migration, owned by the owner login.
func Empty(t testing.TB) *DB { return newDB(t, false) }

func newDB(t testing.TB, migrated bool) *DB {
	t.Helper()
	c, err := start()
	if err != nil {
		t.Fatal(err)
	}
	template := ""
	if migrated {
		template = c.template
	}
	name := databaseName("t")
	// The test's own context ends before cleanup, and must not abort this.
	if err := c.create(context.Background(), name, template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.drop(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return &DB{
		Name:      name,
		OwnerURL:  c.url(postgres.OwnerLogin, name),
		EngineURL: c.url(postgres.EngineLogin, name),
		APIURL:    c.url(postgres.APILogin, name),
	}
}

var databases atomic.Int64

// databaseName is unique among the test binaries of one machine.
func databaseName(kind string) string {
	return fmt.Sprintf("docket_%s_%d_%d", kind, os.Getpid(), databases.Add(1))
}

// Engine opens a pool as EngineRole, closed when the test ends.
func (d *DB) Engine(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return pool(t, d.EngineURL, postgres.EngineRole)
}

// API opens a pool as APIRole, closed when the test ends.
func (d *DB) API(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return pool(t, d.APIURL, postgres.APIRole)
}

// Owner opens a pool as the owner of the tables, closed when the test ends.
// Row-level security FORCEd on a table holds for it too.
func (d *DB) Owner(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return pool(t, d.OwnerURL, "")
}

func pool(t testing.TB, url string, role postgres.Role) *pgxpool.Pool {
	t.Helper()
	p, err := postgres.Pool(context.Background(), url, postgres.PoolConfig{Role: role, MaxConns: 10, AppName: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}
