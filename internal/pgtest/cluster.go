package pgtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"docket/internal/postgres"
	"docket/migrations"
)

// cluster is the server of this test binary.
type cluster struct {
	admin    *pgxpool.Pool // superuser
	url      func(login postgres.Login, database string) string
	template string
	external bool // the server is not ours, and outlives this binary
	stop     func() error
}

// running says that Run is on the stack, which removes what the tests leave.
var running bool

var errNotRun = errors.New("pgtest: TestMain must be: os.Exit(pgtest.Run(m))")

// start makes the cluster at the first call; further calls return the same.
var start = sync.OnceValues(func() (*cluster, error) {
	if !running {
		return nil, errNotRun
	}
	var err error
	if external := os.Getenv("DOCKET_TEST_DATABASE_URL"); external != "" {
		started, err = useExternal(external)
	} else {
		started, err = startPrivate()
	}
	return started, err
})

// started is the cluster once start has succeeded.
var started *cluster

// histories is how many histories the property tests of a package with a database try,
// if -rapid.checks doesn't say otherwise, as .ci/soak does: one takes up to half a second.
const histories = "10"

// Run runs the tests and then stops and removes the server, if a test needed one.
// It returns the exit status for os.Exit.
func Run(m *testing.M) int {
	running = true
	if checks := flag.Lookup("rapid.checks"); checks != nil && !flag.Parsed() {
		_ = checks.Value.Set(histories)
	}
	code := m.Run()
	var err error
	if started != nil {
		err = started.close()
	}
	if own != nil {
		err = errors.Join(err, own.release())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		code = max(code, 1)
	}
	return code
}

func startPrivate() (_ *cluster, err error) {
	ctx := context.Background()
	dir, err := tempDir()
	if err != nil {
		return nil, err
	}
	guard, err := guardDir(dir)
	if err != nil {
		return nil, err
	}
	if err := migrated.copyTo(ctx, dir); err != nil {
		return nil, errors.Join(err, guard.release())
	}
	server, err := postgres.Start(ctx, postgres.Config{DataDir: dir, Unsafe: true})
	if err != nil {
		return nil, errors.Join(err, guard.release())
	}
	c := &cluster{
		url:      server.URL,
		template: postgres.Database,
		stop: func() error {
			return errors.Join(server.Stop(context.Background()), guard.release())
		},
	}
	if err := c.connect(ctx); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// externalPassword is that of the logins on a server named by
// DOCKET_TEST_DATABASE_URL.
const externalPassword = "docket-test"

func useExternal(superuser string) (*cluster, error) {
	ctx := context.Background()
	base, err := url.Parse(superuser)
	if err != nil {
		return nil, errors.New("pgtest: DOCKET_TEST_DATABASE_URL is not a URL")
	}
	if err := postgres.EnsureLogins(ctx, superuser, externalPassword); err != nil {
		return nil, err
	}
	c := &cluster{
		url: func(login postgres.Login, database string) string {
			u := *base
			u.Path = "/" + database
			if login != postgres.Superuser {
				u.User = url.UserPassword(string(login), externalPassword)
			}
			return u.String()
		},
		external: true,
		stop:     func() error { return nil },
	}
	if err := c.makeTemplate(ctx); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// makeTemplate makes a template on an external server. Its name carries the pid
// because packages that are tested at the same time may share the server.
func (c *cluster) makeTemplate(ctx context.Context) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	c.template = databaseName("template")
	if err := c.create(ctx, c.template, ""); err != nil {
		return err
	}
	return migrations.Up(ctx, c.url(postgres.OwnerLogin, c.template), nil)
}

// connect opens the pool of the superuser.
func (c *cluster) connect(ctx context.Context) error {
	var err error
	if c.admin, err = pgxpool.New(ctx, c.url(postgres.Superuser, "postgres")); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	return nil
}

func (c *cluster) close() error {
	var err error
	if c.admin != nil {
		if c.external && c.template != "" {
			err = c.drop(context.Background(), c.template)
		}
		c.admin.Close()
	}
	return errors.Join(err, c.stop())
}

// create makes a database owned by OwnerLogin, empty or as a copy of template.
func (c *cluster) create(ctx context.Context, name, template string) error {
	statement := "CREATE DATABASE " + name + " OWNER " + string(postgres.OwnerLogin)
	if template != "" {
		// Copying files, not pages through the log: 9 ms where they are in memory.
		statement += " STRATEGY FILE_COPY TEMPLATE " + template
	}
	if _, err := c.admin.Exec(ctx, statement); err != nil {
		return fmt.Errorf("pgtest: create database: %w", err)
	}
	if template != "" {
		return nil
	}
	return postgres.OwnSchema(ctx, c.url(postgres.Superuser, name))
}

// drop removes a database with whatever sessions a test left in it.
func (c *cluster) drop(ctx context.Context, name string) error {
	if _, err := c.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("pgtest: drop database: %w", err)
	}
	return nil
}
