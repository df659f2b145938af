package feed

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// stepTimeout bounds what the feed asks of Postgres besides pages of events: on a silent
// network there is neither an answer nor an error.
const stepTimeout = 10 * time.Second

// step calls do, for stepTimeout.
func step(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return do(ctx)
}

// stepExec runs a short statement, for stepTimeout.
func stepExec(ctx context.Context, engine *pgxpool.Pool, sql string, args ...any) error {
	return step(ctx, func(ctx context.Context) error {
		_, err := engine.Exec(ctx, sql, args...)
		return err
	})
}

// stepRow reads one row by a short statement, for stepTimeout.
func stepRow(ctx context.Context, engine *pgxpool.Pool, into []any, sql string, args ...any) error {
	return step(ctx, func(ctx context.Context) error { return engine.QueryRow(ctx, sql, args...).Scan(into...) })
}
