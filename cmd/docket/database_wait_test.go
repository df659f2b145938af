package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"docket/internal/cli"
	"docket/internal/pgtest"

	"github.com/jackc/pgx/v5"
)

// onWrite calls a function with each thing that a program writes.
type onWrite func(text string)

func (f onWrite) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

// A server that starts before its Postgres waits for it.
func TestServeWaitsForPostgres(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg, err := pgx.ParseConfig(db.EngineURL)
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(cfg.Host) {
		t.Skip("the tests' Postgres has no Unix socket")
	}
	later := filepath.Join(pgtest.TempDir(t), "later")
	environ := given(db, map[string]string{"DOCKET_DATABASE_WAIT": "10m"})
	for _, name := range []string{"DATABASE_URL", "DOCKET_API_DATABASE_URL", "DOCKET_OWNER_DATABASE_URL"} {
		u, err := pgx.ParseConfig(environ[name])
		if err != nil {
			t.Fatal(err)
		}
		environ[name] = "postgres:///" + u.Database + "?user=" + u.User + "&sslmode=disable&host=" + later
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waited, listened := false, false
	p := &program{environ: environ, onUnsafePostgres: true, stdout: io.Discard, cutOff: context.Background()}
	p.stderr = onWrite(func(text string) {
		switch {
		case strings.Contains(text, "waiting for Postgres") && !waited:
			waited = true
			if err := os.Symlink(cfg.Host, later); err != nil {
				t.Error(err)
				cancel()
			}
		case strings.Contains(text, "listening"):
			listened = true
			cancel()
		}
	})
	status := p.run(ctx, []string{"serve", "--log-format", "json"})
	if status != cli.StatusDone || !waited || !listened {
		t.Errorf("status %d; waited %v, listened %v", status, waited, listened)
	}
}

// A start that can't listen makes no cluster.
func TestServeListensBeforeItMakesACluster(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, flag := range []string{"--addr", "--ops-addr"} {
		dir := filepath.Join(t.TempDir(), "data")
		try(t, map[string]string{"DOCKET_DATA_DIR": dir, "DOCKET_ADDR": "127.0.0.1:0"}, "serve", flag, taken.Addr().String()).
			refused(t, "another program does")
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s: the data directory was made: %v", flag, err)
		}
	}
}
