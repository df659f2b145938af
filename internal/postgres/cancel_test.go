package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"docket/internal/pgtest"
	"docket/internal/postgres"
)

// Clients that hang up cost no sessions: a short statement ends by itself, a long one is
// cancelled, and the connection stays.
func TestHangUpsKeepTheirConnections(t *testing.T) {
	t.Parallel()
	db := pgtest.Empty(t)
	pool, err := postgres.Pool(t.Context(), db.OwnerURL, postgres.PoolConfig{MaxConns: 2, Requests: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for range 20 {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, hangUp := context.WithTimeout(t.Context(), time.Millisecond)
		_, _ = conn.Exec(ctx, `select pg_sleep(0.02)`)
		hangUp()
		conn.Release()
	}
	ctx, hangUp := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer hangUp()
	_, err = pool.Exec(ctx, `select pg_sleep(600)`)
	var cancelled *pgconn.PgError
	if !errors.As(err, &cancelled) || cancelled.Code != "57014" {
		t.Errorf("a long statement: %v", err)
	}
	if n := pool.Stat().NewConnsCount(); n > 2 {
		t.Errorf("%d connections were made, want the pool's 2 at most", n)
	}
	// What follows on the connections isn't cancelled in their place.
	for range 20 {
		if _, err := pool.Exec(t.Context(), `select 1`); err != nil {
			t.Error(err)
		}
	}
}
