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
)

// database is where the data is: the connection strings of the three logins.
type database struct {
	Owner  string
	Engine string
	API    string
	// Private is set for the Postgres in the data directory.
	Private bool
	// Server is the private Postgres where this process runs it, else nil.
	Server *postgres.Server
}

// stop ends the private Postgres where this process runs it.
func (d *database) stop(ctx context.Context) error {
	if d.Server == nil {
		return nil
	}
	return d.Server.Stop(ctx)
}

// gone is closed when a private Postgres that this process runs has ended.
func (d *database) gone() <-chan struct{} {
	if d.Server == nil {
		return nil
	}
	return d.Server.Exited()
}

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

// openDatabase finds the database that the settings name, starting the private
// Postgres where there is no other. The caller stops it. Errors:
// *postgres.LockedError where another docket runs on the data directory.
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
	return &database{
		Owner:   server.URL(postgres.OwnerLogin, postgres.Database),
		Engine:  server.URL(postgres.EngineLogin, postgres.Database),
		API:     server.URL(postgres.APILogin, postgres.Database),
		Private: true, Server: server,
	}, nil
}

// How long a command waits for the Postgres of a server that is just starting.
const (
	runningBound = 30 * time.Second
	runningEvery = 50 * time.Millisecond
)

// borrowDatabase is openDatabase for a command beside the server: it uses the
// private Postgres of a running server, and never makes a new one.
func borrowDatabase(ctx context.Context, s settings, log *slog.Logger) (*database, error) {
	if s.DatabaseURL == "" {
		if _, err := os.Stat(filepath.Join(s.DataDir, "postgres", "PG_VERSION")); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no data in %s: start docket serve first, or set DATABASE_URL or DOCKET_DATA_DIR", s.DataDir)
		}
	}
	return openOrJoin(ctx, s, log, schemaFits)
}

// openOrJoin is openDatabase, but where another docket runs on the data directory
// it waits until that one's Postgres is ready, and uses it.
func openOrJoin(ctx context.Context, s settings, log *slog.Logger, ready func(context.Context, *database) (bool, error)) (*database, error) {
	d, err := openDatabase(ctx, s, log)
	var locked *postgres.LockedError
	if !errors.As(err, &locked) {
		return d, err
	}
	ctx, cancel := context.WithTimeout(ctx, runningBound)
	defer cancel()
	for {
		if running, ok := postgres.Running(s.DataDir); ok {
			d := &database{
				Owner:   running.URL(postgres.OwnerLogin, postgres.Database),
				Engine:  running.URL(postgres.EngineLogin, postgres.Database),
				API:     running.URL(postgres.APILogin, postgres.Database),
				Private: true,
			}
			// It may have been made this moment, and be without a database yet.
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
