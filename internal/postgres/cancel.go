package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// What happens to a statement whose context ends, as when a client hangs up. By default
// pgx closes the connection, and the next request pays for a new session, which costs
// Postgres more than most statements.
const (
	// cancelAfter is how long the statement may go on to end by itself: nearly all do.
	cancelAfter = 200 * time.Millisecond
	// closeAfter is when the connection is closed if the statement hasn't ended by then,
	// although Postgres was asked to cancel it.
	closeAfter = 2 * time.Second
)

// keepWhenCancelled has the connections of a pool outlive the contexts of their statements.
// A statement that Postgres cancels has SQLSTATE 57014, and not the context's error.
func keepWhenCancelled(pc *pgxpool.Config) {
	pc.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, CancelRequestDelay: cancelAfter, DeadlineDelay: closeAfter}
	}
}
