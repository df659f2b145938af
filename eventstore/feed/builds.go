package feed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// BuildRunningError says that another process builds the subscription's next generation
// in the tenant.
type BuildRunningError struct {
	Tenant       domain.TenantID
	Subscription string
	// By is that process's name, and Since the time when it began; empty and zero where it
	// hasn't recorded them yet.
	By    string
	Since time.Time
}

func (e *BuildRunningError) Error() string {
	who := "another process"
	if e.By != "" {
		who = e.By + ", since " + e.Since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s of tenant %s is being rebuilt by %s", e.Subscription, e.Tenant, who)
}

// UnreadableEvent reports whether one event is the reason why events couldn't be read: a
// newer version wrote it, or it is damaged. Other errors are the database's.
func UnreadableEvent(err error) bool {
	return errors.Is(err, domain.ErrUnknownEvent) || errors.Is(err, errDamaged)
}

// Builds are the new generations that one process builds in one tenant at a time.
//
//	OpenBuilds ─▶ Start ─▶ Build: Apply … Page … ─▶ Switch ─▶ Close
//	                │        each a transaction: rows and the build's checkpoint;
//	                │        the live subscription continues meanwhile
//	                └─ from here to Close no other process builds the same
//
// Advisory locks exclude other processes. They are held in one transaction that does
// nothing else: it holds no snapshot, and ends with its connection even if the process is
// killed. Pages don't depend on them: they lock their checkpoint's row too.
type Builds struct {
	pool   *pgxpool.Pool
	tenant domain.TenantID
	by     string

	mu    sync.Mutex // protects guard, which many builds share
	guard pgx.Tx
	close func()
	// signed are the subscriptions whose live generation has the name by.
	signed []string
}

// guardSQL takes the lock for building a subscription ($1) in a tenant ($2), if it is
// free, until the end of the transaction.
const guardSQL = `select pg_try_advisory_xact_lock(hashtextextended('docket build ' || $1::text || ' ' || $2::text, 0))`

// guardIdlesSQL lets the guard's transaction idle as long as the build takes: it
// holds no snapshot and locks nothing else. The connection's own timeouts end it if the
// process is gone.
const guardIdlesSQL = `select set_config('idle_in_transaction_session_timeout', '0', true)`

// logThereSQL says whether a tenant ($1) has a log.
const logThereSQL = `select exists (select from tenant_logs where tenant_id = $1)`

// OpenBuilds begins to build in a tenant. by is the name that other processes see in
// BuildRunningError.
// Until Close it holds one of the pool's connections (of the engine role); each
// build takes another for each of its steps.
//
// Errors: *TenantError.
func OpenBuilds(ctx context.Context, pool *pgxpool.Pool, t domain.TenantID, by string) (*Builds, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("open builds: %w", err)
	}
	b := &Builds{pool: pool, tenant: t, by: by}
	var there bool
	batch := &pgx.Batch{}
	batch.BeginTx(pgx.TxOptions{})
	batch.Queue(guardIdlesSQL)
	batch.Queue(logThereSQL, t.UUID()).QueryRow(func(row pgx.Row) error { return row.Scan(&there) })
	results := conn.SendBatch(ctx, batch)
	err = results.Close()
	b.guard, b.close = results.Tx(), conn.Release
	switch {
	case err != nil:
		err = fmt.Errorf("open builds: %w", err)
	case !there:
		err = &eventstore.TenantError{Tenant: t}
	default:
		return b, nil
	}
	b.Close()
	return nil, err
}

// signLiveSQL records the builder's name ($4, empty: unknown) at the checkpoint of the live
// generation ($3) of a subscription ($1) in a tenant ($2). It leaves out a locked
// checkpoint instead of waiting.
const signLiveSQL = `update checkpoints set built_by = nullif($4, ''), built_since = clock_timestamp()
where ctid = any (array(select c.ctid from checkpoints c
  where c.tenant_id = $2 and c.subscription = $1 and c.generation = $3 for no key update skip locked))`

// unsignSQL removes the builder's name ($3) from the live generations of some
// subscriptions ($1) in a tenant ($2), in the transaction that holds the locks. Locked
// checkpoints keep the name: it doesn't wait for them.
const unsignSQL = `update checkpoints set built_by = null, built_since = null
where ctid = any (array(select c.ctid from checkpoints c
  where c.tenant_id = $2 and c.subscription = any ($1) and c.built_by = $3
    and c.generation = (select g.current from generations g where g.tenant_id = $2 and g.subscription = c.subscription)
  for no key update skip locked))`

// Close ends the builds, finished or not, and lets others build. It may be called
// more than once.
func (b *Builds) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.close == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	if len(b.signed) > 0 {
		if _, err := b.guard.Exec(ctx, unsignSQL, b.signed, b.tenant.UUID(), b.by); err == nil {
			_ = b.guard.Commit(ctx) // a name that stays is seen only where a lock is held without one
		}
	}
	_ = b.guard.Rollback(ctx) // a connection that can't roll back is thrown away by the pool
	b.close()
	b.close = nil
}

// aliveSQL does nothing, in the transaction that holds the locks.
const aliveSQL = `select 1`

// check keeps the guard's connection from being closed as idle, and fails if it was
// closed.
func (b *Builds) check(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.close == nil {
		return errors.New("the builds were closed")
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if _, err := b.guard.Exec(ctx, aliveSQL); err != nil {
		return fmt.Errorf("lost the lock: %w", err)
	}
	return nil
}

// take gets the lock that excludes other builds of a subscription.
func (b *Builds) take(ctx context.Context, subscription string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	var ours bool
	if err := b.guard.QueryRow(ctx, guardSQL, subscription, b.tenant.String()).Scan(&ours); err != nil {
		return err
	}
	if ours {
		return nil
	}
	return b.running(ctx, subscription)
}

// builderSQL reads the name of the process that builds a subscription ($1) in a tenant
// ($2), and the time when it began. A process that has switched still holds the lock while
// it builds other subscriptions or deletes rows. Of several names all but the newest are
// left over from killed processes.
const builderSQL = `select c.built_by, c.built_since from checkpoints c
where c.tenant_id = $2 and c.subscription = $1 and c.built_by is not null
  and c.generation >= coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)
order by c.built_since desc limit 1`

// running is a *BuildRunningError with as much as is known.
func (b *Builds) running(ctx context.Context, subscription string) error {
	e := &BuildRunningError{Tenant: b.tenant, Subscription: subscription}
	err := b.guard.QueryRow(ctx, builderSQL, subscription, b.tenant.UUID()).Scan(&e.By, &e.Since)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return e
}

// noteFailureSQL records the reason ($4) for the failure of a build of a subscription ($1)
// in a tenant ($2) by a fold version ($3), at the build's checkpoint. The next page clears
// it.
const noteFailureSQL = `update checkpoints c set failures = c.failures + 1, error = $4, failed_at = coalesce(c.failed_at, clock_timestamp())
where c.tenant_id = $2 and c.subscription = $1 and c.fold_version = $3
  and c.generation > coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)`

// NoteFailure records for the operators (Status.FailedBuilds) why a build failed that is
// going to be retried. It records nothing for a build that has no checkpoint yet.
func NoteFailure(ctx context.Context, engine *pgxpool.Pool, t domain.TenantID, subscription string, foldVersion int, cause error) error {
	if err := stepExec(ctx, engine, noteFailureSQL, subscription, t.UUID(), foldVersion, storable(cause)); err != nil {
		return fmt.Errorf("note the failed build of %s: %w", subscription, err)
	}
	return nil
}
