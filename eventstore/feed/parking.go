package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Parked is a subscription of a tenant that has stopped before an event which it
// can't handle.
type Parked struct {
	Tenant       domain.TenantID
	Subscription string
	// Seq is the event's.
	Seq int64
	// Attempts is how often it has failed in a row, pages with other events included.
	Attempts int
	// Since is when it failed first; zero where that wasn't recorded.
	Since time.Time
	// RetryAt is when it is tried again. It is in the past during a try, or if no replica
	// runs the subscription.
	RetryAt time.Time
	// Error is why it failed last.
	Error string
}

// NotParkedError says that a subscription of a tenant isn't parked.
type NotParkedError struct {
	Tenant       domain.TenantID
	Subscription string
}

func (e *NotParkedError) Error() string {
	return fmt.Sprintf("%s of tenant %s isn't parked", e.Subscription, e.Tenant)
}

// Parking is what operators do about parked subscriptions.
//
//	lock the checkpoint ─▶ is it parked? ─▶ record: an event of the tenant's log
//	     ─▶ skips row, checkpoint ─▶ commit, NOTIFY
//
// The caller appends the event first, in a transaction of its own, so that no action is
// without its record. If the rest is lost, the subscription is still parked and nothing is
// skipped. The same call again finishes it: record finds the event and appends none.
type Parking struct{ engine *pgxpool.Pool }

// NewParking makes a Parking over a pool of the engine role that has at least one
// connection more than record needs. The caller closes the pool.
func NewParking(engine *pgxpool.Pool) *Parking { return &Parking{engine} }

// Skip makes a parked subscription leave out the event at which it stopped, live and in
// every later rebuild. record appends an event with the operator and the reason, and
// returns its seq. Servers continue at once.
//
// Errors: *NotParkedError; *BuildRunningError where the subscription is being
// rebuilt in the tenant, as the new rows may have the event; what record returns.
func (p *Parking) Skip(ctx context.Context, t domain.TenantID, subscription string, record func(context.Context, Parked) (int64, error)) (Parked, error) {
	return p.unpark(ctx, t, subscription, func(tx pgx.Tx, parked Parked) error {
		var alone bool
		if err := tx.QueryRow(ctx, guardSQL, subscription, t.String()).Scan(&alone); err != nil {
			return err
		}
		if !alone {
			return &BuildRunningError{Tenant: t, Subscription: subscription}
		}
		recorded, err := record(ctx, parked)
		if err != nil {
			return err
		}
		b := &pgx.Batch{}
		b.Queue(skipSQL, t.UUID(), subscription, parked.Seq, recorded)
		b.Queue(abandonBuildsSQL, t.UUID(), subscription)
		return tx.SendBatch(ctx, b).Close()
	})
}

// Resume makes a parked subscription retry its event at once, and resets its failures.
// record appends an event with the operator and the reason.
//
// Errors: *NotParkedError; what record returns.
func (p *Parking) Resume(ctx context.Context, t domain.TenantID, subscription string, record func(context.Context, Parked) (int64, error)) (Parked, error) {
	return p.unpark(ctx, t, subscription, func(_ pgx.Tx, parked Parked) error {
		_, err := record(ctx, parked)
		return err
	})
}

// lockParkedSQL locks the live checkpoint of a subscription ($1) in a tenant ($2), if
// it is parked, and reads why.
const lockParkedSQL = `select c.seq + 1, c.failures, c.failed_at, c.retry_at, coalesce(c.error, '') from checkpoints c
where c.tenant_id = $2 and c.subscription = $1
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)
  and c.retry_at is not null
for no key update`

// unparkSQL resumes a parked subscription ($1) of a tenant ($2) and resets its failures.
const unparkSQL = `update checkpoints set failures = 0, retry_at = null, failed_at = null, error = null
where tenant_id = $2 and subscription = $1 and retry_at is not null`

// skipSQL records that in a tenant ($1) a subscription ($2) leaves out an event ($3), and
// the seq of the event that records it ($4).
const skipSQL = `insert into skips (tenant_id, subscription, seq, recorded) values ($1, $2, $3, $4) on conflict do nothing`

// abandonBuildsSQL keeps interrupted builds of a subscription ($2) in a tenant ($1) from
// being resumed: they may have folded an event that is skipped now.
const abandonBuildsSQL = `update checkpoints set fold_version = null where tenant_id = $1 and subscription = $2
  and generation > coalesce((select g.current from generations g where g.tenant_id = $1 and g.subscription = $2), 1)`

// unpark calls do under the lock of a parked subscription's checkpoint, then resumes the
// subscription and notifies the servers. It waits for a try that is under way.
func (p *Parking) unpark(ctx context.Context, t domain.TenantID, subscription string, do func(pgx.Tx, Parked) error) (Parked, error) {
	parked := Parked{Tenant: t, Subscription: subscription}
	err := pgx.BeginFunc(ctx, p.engine, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, waitSQL, fmt.Sprint(buildLockWait.Milliseconds())); err != nil {
			return err
		}
		var since *time.Time
		err := tx.QueryRow(ctx, lockParkedSQL, subscription, t.UUID()).Scan(&parked.Seq, &parked.Attempts, &since, &parked.RetryAt, &parked.Error)
		if errors.Is(err, pgx.ErrNoRows) {
			return &NotParkedError{Tenant: t, Subscription: subscription}
		}
		if err != nil {
			return fmt.Errorf("lock checkpoint: %w", err)
		}
		if since != nil {
			parked.Since = *since
		}
		if err := do(tx, parked); err != nil {
			return err
		}
		b := &pgx.Batch{}
		b.Queue(unparkSQL, subscription, t.UUID())
		b.Queue(notifySQL, wakeUpChannel, "operator "+t.String()) // the sweep finds it too
		return tx.SendBatch(ctx, b).Close()
	})
	return parked, err
}
