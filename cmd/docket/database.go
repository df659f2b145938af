package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"docket/internal/postgres"

	"github.com/spf13/cobra"
)

// database has the connection strings of the three logins.
type database struct {
	Owner  string
	Engine string
	API    string
	// Private says that it is the Postgres in the data directory.
	Private bool
	// Server is the private Postgres if this process runs it, else nil.
	Server *postgres.Server
}

// stop stops the private Postgres if this process runs it.
func (d *database) stop(ctx context.Context) error {
	if d.Server == nil {
		return nil
	}
	return d.Server.Stop(ctx)
}

// exited is closed when a private Postgres that this process runs has ended.
func (d *database) exited() <-chan struct{} {
	if d.Server == nil {
		return nil
	}
	return d.Server.Exited()
}

// givenDatabase is the database that DATABASE_URL names.
func givenDatabase(s settings) *database {
	d := &database{Owner: s.DatabaseURL, Engine: s.DatabaseURL, API: s.DatabaseURL}
	if s.OwnerDatabaseURL != "" {
		d.Owner = s.OwnerDatabaseURL
	}
	if s.APIDatabaseURL != "" {
		d.API = s.APIDatabaseURL
	}
	return d
}

// openDatabase finds the database that the settings name, or starts the private
// Postgres, which the caller stops. It returns a *postgres.LockedError where another
// docket runs on the data directory.
func openDatabase(ctx context.Context, s settings, log *slog.Logger) (*database, error) {
	if s.DatabaseURL != "" {
		return givenDatabase(s), nil
	}
	server, err := postgres.Start(ctx, postgres.Config{DataDir: s.DataDir, Logger: log})
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("the data directory %s can't be used (set DOCKET_DATA_DIR to choose another): %w", s.DataDir, err)
	}
	if err != nil {
		return nil, err
	}
	d := privateDatabase(server.URL)
	d.Server = server
	return d, nil
}

// privateDatabase is the database of a private Postgres.
func privateDatabase(url func(postgres.Login, string) string) *database {
	return &database{
		Owner:   url(postgres.OwnerLogin, postgres.Database),
		Engine:  url(postgres.EngineLogin, postgres.Database),
		API:     url(postgres.APILogin, postgres.Database),
		Private: true,
	}
}

// How long, and how often, a command tries the Postgres of a server that is starting.
const (
	runningTimeout = 30 * time.Second
	runningEvery   = 50 * time.Millisecond
)

// borrowDatabase is openDatabase for a command that may run beside a server: it uses
// the private Postgres of a running server, and never creates a new one.
func borrowDatabase(ctx context.Context, s settings, log *slog.Logger) (*database, error) {
	if s.DatabaseURL == "" {
		if _, err := os.Stat(filepath.Join(s.DataDir, "postgres", "PG_VERSION")); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no data in %s: start docket serve first, or set DATABASE_URL or DOCKET_DATA_DIR", s.DataDir)
		}
	}
	return openOrJoin(ctx, s, log, schemaFits)
}

// openOrJoin is openDatabase, but if another docket runs on the data directory, it
// waits until that one's Postgres is ready, and uses it.
func openOrJoin(ctx context.Context, s settings, log *slog.Logger, ready func(context.Context, *database) (bool, error)) (*database, error) {
	d, err := openDatabase(ctx, s, log)
	var locked *postgres.LockedError
	if !errors.As(err, &locked) {
		return d, err
	}
	ctx, cancel := context.WithTimeout(ctx, runningTimeout)
	defer cancel()
	for {
		if running, ok := postgres.Running(s.DataDir); ok {
			d := privateDatabase(running.URL)
			// A new one may have no database yet.
			if is, err := ready(ctx, d); err == nil && is {
				return d, nil
			}
		}
		select {
		case <-time.After(runningEvery):
		case <-ctx.Done():
			if context.Cause(ctx) == context.Canceled {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("%w, and its Postgres can't be used", locked)
		}
	}
}

// withDatabase runs a command that needs the database but no server: on the private
// Postgres of a running server if there is one, else on one that it starts and stops.
func (p *program) withDatabase(c *cobra.Command, do func(context.Context, *pools) error) error {
	return p.withDatabaseConns(c, postgres.AppendConns, do)
}

// withDatabaseConns is withDatabase with up to so many connections of the engine's role.
func (p *program) withDatabaseConns(c *cobra.Command, conns int32, do func(context.Context, *pools) error) (err error) {
	ctx := c.Context()
	s, err := p.settings(c)
	if err != nil {
		return err
	}
	log := newLogger(p.stderr, s)
	var started closers
	defer func() { err = errors.Join(err, started.close(p.cutOff)) }()
	d, err := borrowDatabase(ctx, s, log)
	if err != nil {
		return err
	}
	started.add(d.stop)
	if err := checkServer(ctx, d, log); err != nil {
		return err
	}
	if err := requireSchema(ctx, d); err != nil {
		return err
	}
	pools, err := openPools(ctx, d, c.CommandPath(), conns, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	started.add(pools.close)
	return do(ctx, pools)
}
