package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// buildLockWait is how long a Flip waits for the page that the live subscription
// is handling: as long as a handler may take, and a little more.
const buildLockWait = 45 * time.Second

// BuildRunningError says that another process builds this subscription's next
// generation in this tenant.
type BuildRunningError struct {
	Tenant       domain.TenantID
	Subscription string
}

func (e *BuildRunningError) Error() string {
	return fmt.Sprintf("%s of tenant %s is being rebuilt by another process", e.Subscription, e.Tenant)
}

// Build is the making of a new generation of what a subscription keeps for one
// tenant, from the first event on and beside the live one. It has a checkpoint of
// its own, so a build that was broken off goes on where it stood.
//
//	StartBuild ─▶ Page … Page ─▶ Flip ─▶ Close
//	    │           each a transaction: events after the checkpoint, rows,
//	    │           checkpoint; the live subscription goes on meanwhile
//	    └─ from here to Close no other process builds the same
//
// What excludes others is an advisory lock in a transaction that does nothing
// else: it holds no snapshot, and is gone with its connection, whatever happens
// to the process. Pages don't rest on it: their checkpoint's row is locked too.
type Build struct {
	pool         *pgxpool.Pool
	tenant       domain.TenantID
	subscription string
	generation   int
	guard        pgx.Tx
	release      func()
	seq          int64
}

// guardSQL takes the right to build a subscription ($1) in a tenant ($2), if
// nobody has it, until the end of the transaction.
const guardSQL = `select pg_try_advisory_xact_lock(hashtextextended('docket build ' || $1::text || ' ' || $2::text, 0))`

// guardIdlesSQL lets the guard's transaction idle as long as the build takes: it
// holds no snapshot and locks nothing else. A process that is gone is found out
// by the connection's own timeouts.
const guardIdlesSQL = `select set_config('idle_in_transaction_session_timeout', '0', true)`

// logThereSQL says whether a tenant ($1) has a log.
const logThereSQL = `select exists (select from tenant_logs where tenant_id = $1)`

// resumeBuildSQL finds the checkpoint of a build of a subscription ($1) in a
// tenant ($2) that was broken off, if it was by the same fold version ($3).
const resumeBuildSQL = `select c.generation, c.seq from checkpoints c
where c.tenant_id = $2 and c.subscription = $1 and c.fold_version = $3
  and c.generation > coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)
order by c.generation desc limit 1`

// beginBuildSQL makes the checkpoint of a new build of a subscription ($1) in a
// tenant ($2) by a fold version ($3). Its generation is above any that has rows,
// also above one that was given up.
const beginBuildSQL = `insert into checkpoints (tenant_id, subscription, generation, fold_version)
select $2, $1, 1 + greatest(
  coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1),
  (select max(c.generation) from checkpoints c where c.tenant_id = $2 and c.subscription = $1)), $3
returning generation, seq`

// StartBuild begins or resumes the build of a subscription's next generation in
// a tenant. foldVersion is that of the code which will fill it: a build that was
// broken off by another is left lying and begun anew. Until Close it holds one of
// the pool's connections (of the engine role), and Page and Flip take a second.
//
// Errors: *BuildRunningError, *TenantError.
func StartBuild(ctx context.Context, pool *pgxpool.Pool, t domain.TenantID, subscription string, foldVersion int) (*Build, error) {
	b := &Build{pool: pool, tenant: t, subscription: subscription}
	if err := b.take(ctx); err != nil {
		return nil, err
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, resumeBuildSQL, subscription, t.UUID(), foldVersion).Scan(&b.generation, &b.seq)
		if errors.Is(err, pgx.ErrNoRows) {
			err = tx.QueryRow(ctx, beginBuildSQL, subscription, t.UUID(), foldVersion).Scan(&b.generation, &b.seq)
		}
		return err
	})
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("start build of %s: %w", subscription, err)
	}
	return b, nil
}

// take gets the lock that excludes other builds.
func (b *Build) take(ctx context.Context) error {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("start build of %s: %w", b.subscription, err)
	}
	b.release = conn.Release
	if b.guard, err = conn.Begin(ctx); err != nil {
		conn.Release()
		return fmt.Errorf("start build of %s: %w", b.subscription, err)
	}
	var there, ours bool
	batch := &pgx.Batch{}
	batch.Queue(guardIdlesSQL)
	batch.Queue(logThereSQL, b.tenant.UUID()).QueryRow(func(row pgx.Row) error { return row.Scan(&there) })
	batch.Queue(guardSQL, b.subscription, b.tenant.String()).QueryRow(func(row pgx.Row) error { return row.Scan(&ours) })
	if err = b.guard.SendBatch(ctx, batch).Close(); err != nil {
		err = fmt.Errorf("start build of %s: %w", b.subscription, err)
	} else if !there {
		err = &TenantError{Tenant: b.tenant}
	} else if !ours {
		err = &BuildRunningError{Tenant: b.tenant, Subscription: b.subscription}
	}
	if err != nil {
		b.Close()
	}
	return err
}

// Close ends the build, finished or not, and lets others build.
func (b *Build) Close() {
	if b.release == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	_ = b.guard.Rollback(ctx) // a connection that can't roll back is thrown away by the pool
	b.release()
	b.release = nil
}

// Seq is the last seq that the build has folded.
func (b *Build) Seq() int64 { return b.seq }

// Generation is the generation that the build fills.
func (b *Build) Generation() int { return b.generation }

// lockBuildSQL locks the checkpoint of a build ($1 subscription, $2 tenant, $3
// generation) and reads where it stands.
const lockBuildSQL = `select seq from checkpoints
where tenant_id = $2 and subscription = $1 and generation = $3 for no key update`

// Page gives fill up to limit events, without those that are skipped, and in the
// transaction in which fill wrote advances the build's checkpoint. It returns how
// many events it went past, skipped ones too: fewer than limit at the log's end.
func (b *Build) Page(ctx context.Context, limit int, fill func(context.Context, *Page) error) (int, error) {
	var folded int
	err := b.inTx(ctx, func(tx pgx.Tx) error {
		var err error
		folded, err = b.fold(ctx, tx, limit, fill)
		return err
	})
	if err != nil {
		return 0, err
	}
	return folded, nil
}

// aliveSQL does nothing, in the transaction that holds the lock.
const aliveSQL = `select 1`

// inTx runs one step of the build in a transaction that locks the build's
// checkpoint. b.seq is what was committed.
func (b *Build) inTx(ctx context.Context, step func(pgx.Tx) error) error {
	// Keeps the guard's session from being ended as idle, and notices when it was.
	if _, err := b.guard.Exec(ctx, aliveSQL); err != nil {
		return fmt.Errorf("build of %s: lost the lock: %w", b.subscription, err)
	}
	before := b.seq
	err := pgx.BeginFunc(ctx, b.pool, step)
	if err != nil {
		b.seq = before
		return fmt.Errorf("build of %s for tenant %s: %w", b.subscription, b.tenant, err)
	}
	return nil
}

func (b *Build) fold(ctx context.Context, tx pgx.Tx, limit int, fill func(context.Context, *Page) error) (int, error) {
	if err := tx.QueryRow(ctx, lockBuildSQL, b.subscription, b.tenant.UUID(), b.generation).Scan(&b.seq); err != nil {
		return 0, fmt.Errorf("lock checkpoint: %w", err)
	}
	var skips skipped
	if err := tx.QueryRow(ctx, skippedSQL, b.tenant.UUID(), b.subscription, b.seq).Scan(&skips); err != nil {
		return 0, fmt.Errorf("read skips: %w", err)
	}
	events, err := readPage(ctx, tx, b.tenant, b.seq, limit, skips)
	if err != nil {
		return 0, err
	}
	after := b.seq
	if len(events) > 0 {
		p := &Page{Subscription: b.subscription, Tenant: b.tenant, Generation: b.generation, Events: events, Tx: tx}
		// In the write-ahead log the pages of a build all stand before its flip, and that
		// before the deletion of the old rows.
		if _, err := tx.Exec(ctx, relaxSQL); err != nil {
			return 0, fmt.Errorf("relax commit: %w", err)
		}
		if err := fill(ctx, p); err != nil {
			return 0, err
		}
		b.seq = p.last()
	}
	b.seq = skips.past(b.seq)
	if b.seq == after {
		return 0, nil
	}
	if _, err := tx.Exec(ctx, advanceSQL, b.tenant.UUID(), b.subscription, b.generation, b.seq); err != nil {
		return 0, fmt.Errorf("advance checkpoint: %w", err)
	}
	return int(b.seq - after), nil
}

// skippedSQL are the events of a tenant ($1) after a seq ($3) that a subscription
// ($2) skips.
const skippedSQL = `select array(select s.seq from skips s
where s.tenant_id = $1 and s.subscription = $2 and s.seq > $3 order by s.seq)`

// waitSQL says how long locks are waited for in this transaction ($1, milliseconds).
const waitSQL = `select set_config('lock_timeout', $1, true)`

// lockLiveSQL locks the live checkpoint of a subscription ($1) in a tenant ($2),
// after the page that is being handled, and reads where it stands.
const lockLiveSQL = `select c.seq from checkpoints c
where c.tenant_id = $2 and c.subscription = $1
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)
for no key update`

// flipSQL makes a generation ($3) of a subscription ($1) the one that is read in a tenant ($2).
const flipSQL = `insert into generations (tenant_id, subscription, current) values ($2, $1, $3)
on conflict (tenant_id, subscription) do update set current = excluded.current`

// dropCheckpointsSQL deletes all checkpoints of a subscription ($1) in a tenant
// ($2) but that of one generation ($3).
const dropCheckpointsSQL = `delete from checkpoints where tenant_id = $2 and subscription = $1 and generation <> $3`

// Flip makes the new generation the live one, in one transaction: it stops the
// live subscription between two pages, folds what that is ahead, in pages of up to
// limit events, and moves the pointer. The live subscription goes on from the
// build's checkpoint. Call it when Page has come to the log's end, so that the
// live subscription doesn't stand still for long.
func (b *Build) Flip(ctx context.Context, limit int, fill func(context.Context, *Page) error) error {
	// The live subscription of a tenant that was never handled has none yet.
	if _, err := b.pool.Exec(ctx, beginCheckpointSQL, b.subscription, b.tenant.UUID()); err != nil {
		return fmt.Errorf("build of %s: make checkpoint: %w", b.subscription, err)
	}
	return b.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, waitSQL, fmt.Sprint(buildLockWait.Milliseconds())); err != nil {
			return err
		}
		var live int64
		if err := tx.QueryRow(ctx, lockLiveSQL, b.subscription, b.tenant.UUID()).Scan(&live); err != nil {
			return fmt.Errorf("lock live checkpoint: %w", err)
		}
		for b.seq < live {
			n, err := b.fold(ctx, tx, min(limit, int(live-b.seq)), fill)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("the live subscription is at %d, where there is no event", live)
			}
		}
		batch := &pgx.Batch{}
		batch.Queue(flipSQL, b.subscription, b.tenant.UUID(), b.generation)
		batch.Queue(dropCheckpointsSQL, b.subscription, b.tenant.UUID(), b.generation)
		return tx.SendBatch(ctx, batch).Close()
	})
}
