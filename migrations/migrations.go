package migrations

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"docket/internal/postgres"
)

//go:embed *.sql
var files embed.FS

// codeInsufficientPrivilege is the SQLSTATE of a missing grant.
const codeInsufficientPrivilege = "42501"

// How long Up waits for another replica that migrates: tries, one second apart.
const lockTries = 600

// Up brings the database of ownerURL to the newest version, the group roles
// first. The login becomes the owner of what is created.
func Up(ctx context.Context, ownerURL string, log *slog.Logger) error {
	if err := postgres.EnsureRoles(ctx, ownerURL); err != nil {
		return err
	}
	return withProvider(ownerURL, files, func(p *goose.Provider) error {
		results, err := p.Up(ctx)
		report(ctx, log, results)
		return err
	})
}

// Down undoes migrations, newest first, until the database is at version to; 0
// leaves nothing but goose's own table and the roles. It destroys data.
func Down(ctx context.Context, ownerURL string, to int64, log *slog.Logger) error {
	return withProvider(ownerURL, files, func(p *goose.Provider) error {
		results, err := p.DownTo(ctx, to)
		report(ctx, log, results)
		return err
	})
}

func report(ctx context.Context, log *slog.Logger, results []*goose.MigrationResult) {
	if log == nil {
		return
	}
	for _, r := range results {
		log.InfoContext(ctx, "migration", "version", r.Source.Version, "file", r.Source.Path, "direction", r.Direction, "took", r.Duration)
	}
}

// connConfig is url with what decides into which schema a table goes: by default
// one named for the login would come first.
func connConfig(url string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", postgres.ErrBadURL)
	}
	cfg.RuntimeParams["search_path"] = "public, pg_temp"
	cfg.RuntimeParams["application_name"] = "docket migrate"
	return cfg, nil
}

func withProvider(url string, from fs.FS, use func(*goose.Provider) error) error {
	cfg, err := connConfig(url)
	if err != nil {
		return err
	}
	// A change of a busy table gives up, and with it the migration, rather than
	// hold up all who queue behind it. In milliseconds.
	cfg.RuntimeParams["lock_timeout"] = "30000"
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockTries))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, from,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if err := use(p); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}

// sqlVersion is the newest applied migration; 0 rows and NULL mean none.
const sqlVersion = `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`

// Pending compares the database of url, which any of Docket's logins may ask,
// with this program: current is the newest version applied there, target the
// newest known here. current > target is a database that a newer release has
// migrated already.
func Pending(ctx context.Context, url string) (current, target int64, err error) {
	if target, err = Target(); err != nil {
		return 0, 0, err
	}
	cfg, err := connConfig(url)
	if err != nil {
		return 0, 0, err
	}
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return 0, 0, fmt.Errorf("migrations: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	var migrated bool
	if err := c.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&migrated); err != nil {
		return 0, 0, fmt.Errorf("migrations: %w", err)
	}
	if !migrated {
		return 0, target, nil
	}
	err = c.QueryRow(ctx, sqlVersion).Scan(&current)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == codeInsufficientPrivilege {
		return 0, target, nil // the first migration, which lets us ask, is under way
	}
	if err != nil {
		return 0, 0, fmt.Errorf("migrations: %w", err)
	}
	return current, target, nil
}

// Target is the newest version this program knows.
func Target() (int64, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, fmt.Errorf("migrations: %w", err)
	}
	if len(names) == 0 {
		return 0, errors.New("migrations: none are embedded")
	}
	var newest int64
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("migrations: %w", err)
		}
		newest = max(newest, v)
	}
	return newest, nil
}
