package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Connections of one server, by what they are for: appends, reads, and sessions
// and credentials. Those of the feed and the delivery queue are beside them. An
// append holds its connection for one round trip.
const (
	AppendConns = 10
	ReadConns   = 20
	LoginConns  = 4
)

// sqlSlots is how many sessions logins that are no superusers may have at once:
// the server's, less those that it reserves (from 16 on for two kinds of
// logins), and no more than the database allows.
const sqlSlots = `
SELECT least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
               - coalesce(current_setting('reserved_connections', true)::int, 0),
             CASE WHEN datconnlimit >= 0 THEN datconnlimit END)
FROM pg_database WHERE datname = current_database()`

// Slots is how many sessions the pool's database allows at once, those of other
// programs and replicas included.
func Slots(ctx context.Context, pool *pgxpool.Pool) (int, error) {
	var n int
	if err := pool.QueryRow(ctx, sqlSlots).Scan(&n); err != nil {
		return 0, fmt.Errorf("postgres: %w", err)
	}
	return n, nil
}
