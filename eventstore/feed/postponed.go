package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// postponeSQL records that a subscription ($2) has yet to copy an event ($3 log, $4 seq) into
// a tenant ($1), the next try in $5 seconds, and why the first one failed ($6).
const postponeSQL = `insert into postponed_copies (tenant_id, subscription, source, seq, due_at, error)
values ($1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5), $6) on conflict do nothing`

// Postpone has an event of the page copied into a tenant later (RetryPostponed), because
// that failed. It is for subscriptions that append to other tenants' logs: one of these that
// is damaged or locked must not stop the copies into all others. The record is committed
// with the page's checkpoint.
func (p *Page) Postpone(seq int64, into domain.TenantID, cause error) {
	p.Queue(postponeSQL, into.UUID(), p.Subscription, p.Tenant.UUID(), seq, postponedFor(1).Seconds(), storable(cause))
}

// postponedFor is the pause after so many attempts: 5 s, doubled with each, at most 10
// minutes.
func postponedFor(attempts int) time.Duration {
	return min(5*time.Second<<min(attempts-1, 10), 10*time.Minute)
}

// claimPostponedSQL takes the copy of a subscription ($1) that is longest due, for $2
// seconds, and leaves out tenants ($3).
const claimPostponedSQL = `update postponed_copies p set due_at = clock_timestamp() + make_interval(secs => $2)
where (p.tenant_id, p.subscription, p.source, p.seq) = (
  select d.tenant_id, d.subscription, d.source, d.seq from postponed_copies d
  where d.subscription = $1 and d.due_at <= clock_timestamp() and d.tenant_id <> all ($3)
  order by d.due_at, d.tenant_id, d.seq limit 1 for update skip locked)
returning p.tenant_id, p.source, p.seq, p.attempts`

// copiedSQL deletes a copy that was made ($1 tenant, $2 subscription, $3 log, $4 seq).
const copiedSQL = `delete from postponed_copies where tenant_id = $1 and subscription = $2 and source = $3 and seq = $4`

// postponeAgainSQL records that another try failed, because of $6, and makes the next one
// due in $5 seconds ($1 tenant, $2 subscription, $3 log, $4 seq).
const postponeAgainSQL = `update postponed_copies set attempts = attempts + 1, error = $6,
  due_at = clock_timestamp() + make_interval(secs => $5)
where tenant_id = $1 and subscription = $2 and source = $3 and seq = $4`

// countPostponedSQL counts the copies of a subscription ($1) that are yet to be made.
const countPostponedSQL = `select count(*) from postponed_copies where subscription = $1`

// PostponedError is why another try at a postponed copy failed. It is tried again.
type PostponedError struct {
	Tenant   domain.TenantID
	Seq      int64 // of the event in the other log
	Attempts int
	RetryIn  time.Duration
	Cause    error
}

func (e *PostponedError) Error() string {
	return fmt.Sprintf("event %d isn't copied into tenant %s after %d attempts: %v", e.Seq, e.Tenant, e.Attempts, e.Cause)
}

func (e *PostponedError) Unwrap() error { return e.Cause }

// RetryPostponed makes the copies of a subscription that are due, with the engine role, and
// reports how many are left, or -1 where it can't count them. try makes one; its context ends
// after a timeout. After a failure the tenant isn't tried again in the same call. Any number
// of replicas may call it.
//
// Errors: a *PostponedError for each copy that failed, joined; else the database's.
func RetryPostponed(ctx context.Context, engine *pgxpool.Pool, subscription string, timeout time.Duration, try func(context.Context, domain.TenantID, domain.Recorded) error) (left int, err error) {
	var failures []error
	troubled := []uuid.UUID{}
	for ctx.Err() == nil {
		var (
			tenant, source uuid.UUID
			seq            int64
			attempts       int
		)
		err := stepRow(ctx, engine, []any{&tenant, &source, &seq, &attempts}, claimPostponedSQL, subscription, (2 * timeout).Seconds(), troubled)
		if errors.Is(err, pgx.ErrNoRows) {
			break
		}
		if err != nil {
			return -1, errors.Join(append(failures, fmt.Errorf("postponed copies of %s: %w", subscription, err))...)
		}
		cause := tryPostponed(ctx, engine, domain.TenantID(source), seq, domain.TenantID(tenant), timeout, try)
		if cause == nil {
			err = stepExec(ctx, engine, copiedSQL, tenant, subscription, source, seq)
		} else if ctx.Err() == nil {
			failure := &PostponedError{Tenant: domain.TenantID(tenant), Seq: seq, Attempts: attempts + 1, RetryIn: postponedFor(attempts + 1), Cause: cause}
			failures, troubled = append(failures, failure), append(troubled, tenant)
			err = stepExec(ctx, engine, postponeAgainSQL, tenant, subscription, source, seq, failure.RetryIn.Seconds(), storable(cause))
		}
		if err != nil {
			return -1, errors.Join(append(failures, fmt.Errorf("postponed copies of %s: %w", subscription, err))...)
		}
	}
	if err := stepRow(ctx, engine, []any{&left}, countPostponedSQL, subscription); err != nil {
		left, failures = -1, append(failures, fmt.Errorf("postponed copies of %s: %w", subscription, err))
	}
	return left, errors.Join(failures...)
}

// tryPostponed reads an event of a log and calls try with it. An event that the log has lost
// has nothing to copy.
func tryPostponed(ctx context.Context, engine *pgxpool.Pool, source domain.TenantID, seq int64, into domain.TenantID, timeout time.Duration, try func(context.Context, domain.TenantID, domain.Recorded) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s, err := readRange(ctx, engine, source, seq-1, seq, 1, Interest{}, nil)
	if err != nil || len(s.Events) == 0 {
		return err
	}
	return try(ctx, into, s.Events[0])
}
