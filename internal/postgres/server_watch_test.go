package postgres_test

import (
	"context"
	"log/slog"
	"testing"

	"docket/internal/pgtest"
	"docket/internal/postgres"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A restart of the server makes it another one: what is remembered is forgotten once, before
// a connection to it can be used, whichever pool opens that connection.
func TestServerWatch(t *testing.T) {
	t.Parallel()
	dir := pgtest.MigratedDir(t)
	server := start(t, postgres.Config{DataDir: dir, Unsafe: true})
	watch := postgres.NewServerWatch(slog.New(slog.DiscardHandler))
	forgotten := 0
	watch.OnChange(func() { forgotten++ })
	pool := func() *pgxpool.Pool {
		p, err := postgres.Pool(t.Context(), server.URL(postgres.EngineLogin, postgres.Database), postgres.PoolConfig{MaxConns: 2, Watch: watch})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p
	}
	one, two := pool(), pool()
	if forgotten != 0 {
		t.Errorf("two pools on one server: forgotten %d times, want 0", forgotten)
	}
	if err := server.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	server = start(t, postgres.Config{DataDir: dir, Unsafe: true})
	var before int
	for range 3 { // the pool finds its old connections broken
		if err := two.QueryRow(t.Context(), "select 1").Scan(&before); err == nil {
			break
		}
	}
	if forgotten != 1 {
		t.Errorf("after a restart: forgotten %d times, want 1", forgotten)
	}
	for range 3 {
		if err := one.Ping(t.Context()); err == nil {
			break
		}
	}
	if forgotten != 1 {
		t.Errorf("another pool on the same server: forgotten %d times, want 1", forgotten)
	}
}
