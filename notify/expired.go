package notify

import (
	"context"
	"fmt"
	"time"

	"docket/eventstore"

	"github.com/jackc/pgx/v5/pgxpool"
)

// deleteFinishedSQL deletes up to $2 deliveries that were finished more than $1 seconds ago.
const deleteFinishedSQL = `delete from deliveries where (tenant_id, id) in (
  select tenant_id, id from deliveries where finished_at < now() - make_interval(secs => $1)
  order by finished_at limit $2)`

// deleteReadSQL deletes up to $2 notifications that were marked as read more than $1 seconds
// ago.
const deleteReadSQL = `delete from notifications where (tenant_id, id) in (
  select tenant_id, id from notifications where read_at < now() - make_interval(secs => $1)
  order by read_at limit $2)`

// DeleteFinishedDeliveries deletes up to limit deliveries that were sent, dead, withdrawn
// or capped longer than age ago, and returns how many. pool is of the engine role.
func DeleteFinishedDeliveries(ctx context.Context, pool *pgxpool.Pool, age time.Duration, limit int) (int, error) {
	return deleteOlder(ctx, pool, "finished deliveries", deleteFinishedSQL, age, limit)
}

// DeleteReadNotifications deletes up to limit notifications that were read longer than age
// ago, and returns how many. None comes back: the inbox is no read model, so no rebuild
// writes it; the subscription handles an event once, and after a loss of events it starts
// at the log's head (Recovery).
func DeleteReadNotifications(ctx context.Context, pool *pgxpool.Pool, age time.Duration, limit int) (int, error) {
	return deleteOlder(ctx, pool, "read notifications", deleteReadSQL, age, limit)
}

func deleteOlder(ctx context.Context, pool *pgxpool.Pool, what, sql string, age time.Duration, limit int) (int, error) {
	tag, err := pool.Exec(ctx, sql, age.Seconds(), limit)
	if err != nil {
		return 0, fmt.Errorf("delete %s: %w", what, eventstore.Unreachable(err))
	}
	return int(tag.RowsAffected()), nil
}
