package feed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// waitSQL sets how long this transaction waits for a lock ($1, milliseconds).
const waitSQL = `select set_config('lock_timeout', $1, true)`

// lockLiveSQL locks the live checkpoint of a subscription ($1) in a tenant ($2), once the
// current page is committed, and reads its seq, its generation, whether its rows are
// complete, and the skipped events after the seq.
const lockLiveSQL = `select c.seq, c.generation, c.complete, array(select s.seq from skips s
  where s.tenant_id = $2 and s.subscription = $1 and s.seq > c.seq order by s.seq)
from checkpoints c
where c.tenant_id = $2 and c.subscription = $1
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)
for no key update of c`

// switchSQL makes a generation ($3) of a subscription ($1) the live one in a tenant ($2), and
// records that lower generations have rows.
const switchSQL = `insert into generations (tenant_id, subscription, current, old_rows) values ($2, $1, $3, true)
on conflict (tenant_id, subscription) do update set current = excluded.current, old_rows = true`

// completeSQL records whether the rows of a generation ($3) of a subscription ($1) in a tenant
// ($2) are complete ($4), and clears recorded failures (noteFailureSQL).
const completeSQL = `update checkpoints set complete = $4, failures = 0, error = null, failed_at = null
where tenant_id = $2 and subscription = $1 and generation = $3`

// dropCheckpointsSQL deletes the checkpoints of a subscription ($1) in a tenant ($2)
// below a generation ($3), whose rows are deleted too. An interrupted build above it keeps
// both: a new build must not reuse its number and fold over its rows.
const dropCheckpointsSQL = `delete from checkpoints where tenant_id = $2 and subscription = $1 and generation < $3`

// Switch makes the new generation the live one, in one transaction. It pauses the live
// subscription between two pages, folds the events that the build lacks, in pages of up to
// limit events, and moves the pointer. Replicas are notified: those with the build's fold
// version continue from the build's checkpoint, and all others leave the tenant alone. Call
// it when Page has reached the log's end, so that the pause is short. The old rows stay
// until DropOld.
//
// A build that LimitToLive kept from the log's end is as complete as the live rows were.
func (b *Build) Switch(ctx context.Context, limit int, fill Fill) error {
	err := b.withLivePaused(ctx, limit, fill, func(tx pgx.Tx, live PausedPositions) error {
		complete := b.through == math.MaxInt64 || live.complete
		batch := &pgx.Batch{}
		batch.Queue(switchSQL, b.subscription, b.builds.tenant.UUID(), b.generation)
		batch.Queue(dropCheckpointsSQL, b.subscription, b.builds.tenant.UUID(), b.generation)
		batch.Queue(completeSQL, b.subscription, b.builds.tenant.UUID(), b.generation, complete)
		batch.Queue(notifySQL, wakeUpChannel, switchSender+" "+b.builds.tenant.String())
		return tx.SendBatch(ctx, batch).Close()
	})
	if err == nil {
		b.builds.markOwner(b.subscription)
	}
	return err
}

// markOwner records that the live generation of a subscription has the builder's name. It is
// false if that is recorded already.
func (b *Builds) markOwner(subscription string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Contains(b.signed, subscription) {
		return false
	}
	b.signed = append(b.signed, subscription)
	return true
}

// PausedPositions are the positions of a build and of the live subscription while both are
// paused.
type PausedPositions struct {
	// Live is the live generation, and LiveSeq the last event folded into it.
	Live    int
	LiveSeq int64
	// Next is the generation that the build fills, and NextSeq the last event in it;
	// at least LiveSeq.
	Next    int
	NextSeq int64
	// Even says that both have the same events. Skipped ones are in neither.
	Even bool

	complete bool // the live rows
}

// WithLivePaused runs do in a transaction in which the live subscription is paused. Before
// that the build folds the events that it lacks, so it is at least as far. do must return
// quickly, since readers wait for the events that the tenant appends meanwhile.
func (b *Build) WithLivePaused(ctx context.Context, limit int, fill Fill, do func(context.Context, pgx.Tx, PausedPositions) error) error {
	return b.withLivePaused(ctx, limit, fill, func(tx pgx.Tx, s PausedPositions) error { return do(ctx, tx, s) })
}

func (b *Build) withLivePaused(ctx context.Context, limit int, fill Fill, do func(pgx.Tx, PausedPositions) error) error {
	// A tenant that was never handled has no live checkpoint yet.
	if err := stepExec(ctx, b.builds.pool, beginCheckpointSQL, b.subscription, b.builds.tenant.UUID(), b.foldVersion); err != nil {
		return fmt.Errorf("build of %s: make checkpoint: %w", b.subscription, err)
	}
	return b.step(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, waitSQL, fmt.Sprint(buildLockWait.Milliseconds())); err != nil {
			return err
		}
		s := PausedPositions{Next: b.generation}
		var skips skipped
		if err := tx.QueryRow(ctx, lockLiveSQL, b.subscription, b.builds.tenant.UUID()).Scan(&s.LiveSeq, &s.Live, &s.complete, &skips); err != nil {
			return fmt.Errorf("lock live checkpoint: %w", err)
		}
		// The guard may be lost during the wait, and another build may have become live.
		if _, err := b.lock(ctx, tx); err != nil {
			return err
		}
		if s.Live >= b.generation {
			return fmt.Errorf("generation %d is live already, and the build fills %d", s.Live, b.generation)
		}
		for b.seq < s.LiveSeq {
			before := b.seq
			if err := b.read(ctx, tx, limit, s.LiveSeq, fill); err != nil {
				return err
			}
			if b.seq == before {
				return fmt.Errorf("the live subscription is at %d, where there is no event", s.LiveSeq)
			}
		}
		s.NextSeq, s.Even = b.seq, b.seq <= skips.past(s.LiveSeq)
		return do(tx, s)
	})
}

// OldRows is a subscription of a tenant that may have rows below the live generation. They
// are left over when the process that switched was killed before it deleted them, or
// couldn't delete them.
type OldRows struct {
	Tenant       domain.TenantID
	Subscription string
}

// oldRowsSQL lists the OldRows of some subscriptions ($1).
const oldRowsSQL = `select tenant_id, subscription from generations
where old_rows and subscription = any ($1) order by tenant_id, subscription`

// ListOldRows lists the OldRows of some subscriptions, with the engine role. It reads no
// other rows, so it may be called often.
func ListOldRows(ctx context.Context, engine *pgxpool.Pool, subscriptions []string) ([]OldRows, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	rows, err := engine.Query(ctx, oldRowsSQL, subscriptions)
	if err != nil {
		return nil, fmt.Errorf("find old rows: %w", err)
	}
	left, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l OldRows, err error) {
		err = row.Scan((*uuid.UUID)(&l.Tenant), &l.Subscription)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("find old rows: %w", err)
	}
	return left, nil
}

// leftSQL reads the live generation of a subscription ($1) in a tenant ($2), if rows below it
// may be left.
const leftSQL = `select current from generations where tenant_id = $2 and subscription = $1 and old_rows`

// droppedSQL records that no rows are left below a generation ($3) of a subscription ($1) in a
// tenant ($2).
const droppedSQL = `update generations set old_rows = false where tenant_id = $2 and subscription = $1 and current = $3`

// DropOld calls drop to delete the rows of the generations below the live one, if a switch
// has left any, and records that they are deleted. It holds the subscription's lock
// meanwhile, and others see its name in BuildRunningError. If another process holds the
// lock, the rows are left to that process.
//
// Errors: *BuildRunningError.
func (b *Builds) DropOld(ctx context.Context, subscription string, drop func(ctx context.Context, live int) error) error {
	err := b.take(ctx, subscription)
	var live int
	if err == nil {
		err = stepRow(ctx, b.pool, []any{&live}, leftSQL, subscription, b.tenant.UUID())
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
	}
	if err == nil && b.markOwner(subscription) {
		// The name isn't essential; if the database has a problem, drop fails too.
		_ = stepExec(ctx, b.pool, signLiveSQL, subscription, b.tenant.UUID(), live, b.by)
	}
	if err == nil {
		err = drop(ctx, live)
	}
	if err == nil {
		err = stepExec(ctx, b.pool, droppedSQL, subscription, b.tenant.UUID(), live)
	}
	if err != nil {
		return fmt.Errorf("old rows of %s of tenant %s: %w", subscription, b.tenant, err)
	}
	return nil
}
