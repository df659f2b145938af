package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// waitSQL says how long locks are waited for in this transaction ($1, milliseconds).
const waitSQL = `select set_config('lock_timeout', $1, true)`

// lockLiveSQL locks the live checkpoint of a subscription ($1) in a tenant ($2),
// after the page that is being handled, and reads where it stands, its generation, and
// which events after that are skipped.
const lockLiveSQL = `select c.seq, c.generation, array(select s.seq from skips s
  where s.tenant_id = $2 and s.subscription = $1 and s.seq > c.seq order by s.seq)
from checkpoints c
where c.tenant_id = $2 and c.subscription = $1
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)
for no key update of c`

// switchSQL makes a generation ($3) of a subscription ($1) the one that is read in a tenant
// ($2), and notes that there are rows below it.
const switchSQL = `insert into generations (tenant_id, subscription, current, old_rows) values ($2, $1, $3, true)
on conflict (tenant_id, subscription) do update set current = excluded.current, old_rows = true`

// completeSQL notes that the rows of a generation ($3) of a subscription ($1) in a tenant
// ($2) are all that the log says, whatever failed on the way (noteFailureSQL).
const completeSQL = `update checkpoints set complete = true, failures = 0, error = null, failed_at = null
where tenant_id = $2 and subscription = $1 and generation = $3`

// dropCheckpointsSQL deletes the checkpoints of a subscription ($1) in a tenant ($2)
// below a generation ($3), whose rows go too. A build above it that was broken off
// keeps both: another must not take its number and fold over its rows.
const dropCheckpointsSQL = `delete from checkpoints where tenant_id = $2 and subscription = $1 and generation < $3`

// Switch makes the new generation the live one, in one transaction: it stops the
// live subscription between two pages, folds what that is ahead, in pages of up to
// limit events, and moves the pointer. The live subscription goes on from the
// build's checkpoint if it is of the build's fold version, and is left alone by all
// others; servers are told. Call it when Page has come to the log's end, so that the
// live subscription doesn't stand still for long. The old rows are there until DropOld.
func (b *Build) Switch(ctx context.Context, limit int, fill Fill) error {
	err := b.withLivePaused(ctx, limit, fill, func(tx pgx.Tx, _ PausedPositions) error {
		batch := &pgx.Batch{}
		batch.Queue(switchSQL, b.subscription, b.builds.tenant.UUID(), b.generation)
		batch.Queue(dropCheckpointsSQL, b.subscription, b.builds.tenant.UUID(), b.generation)
		batch.Queue(completeSQL, b.subscription, b.builds.tenant.UUID(), b.generation)
		batch.Queue(notifySQL, wakeUpChannel, switchSender+" "+b.builds.tenant.String())
		return tx.SendBatch(ctx, batch).Close()
	})
	if err == nil {
		b.builds.bears(b.subscription)
	}
	return err
}

// bears notes that the live generation of a subscription has the name of who builds; it is
// false if that was known.
func (b *Builds) bears(subscription string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Contains(b.signed, subscription) {
		return false
	}
	b.signed = append(b.signed, subscription)
	return true
}

// PausedPositions is where a build and the live subscription stand while both stand still.
type PausedPositions struct {
	// Live is the generation that is read, and LiveSeq the last event folded into it.
	Live    int
	LiveSeq int64
	// Next is the generation that the build fills, and NextSeq the last event in it;
	// at least LiveSeq.
	Next    int
	NextSeq int64
	// Even: the same events are in both. Those that are skipped are in neither.
	Even bool
}

// WithLivePaused runs do in a transaction in which the live subscription stands still, and
// the build at least where that stands: it folds first what it lacks. do must not
// take long, since the tenant's readers wait for what comes meanwhile.
func (b *Build) WithLivePaused(ctx context.Context, limit int, fill Fill, do func(context.Context, pgx.Tx, PausedPositions) error) error {
	return b.withLivePaused(ctx, limit, fill, func(tx pgx.Tx, s PausedPositions) error { return do(ctx, tx, s) })
}

func (b *Build) withLivePaused(ctx context.Context, limit int, fill Fill, do func(pgx.Tx, PausedPositions) error) error {
	// The live subscription of a tenant that was never handled has none yet.
	if _, err := b.builds.pool.Exec(ctx, beginCheckpointSQL, b.subscription, b.builds.tenant.UUID(), b.foldVersion); err != nil {
		return fmt.Errorf("build of %s: make checkpoint: %w", b.subscription, err)
	}
	return b.step(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, waitSQL, fmt.Sprint(buildLockWait.Milliseconds())); err != nil {
			return err
		}
		s := PausedPositions{Next: b.generation}
		var skips skipped
		if err := tx.QueryRow(ctx, lockLiveSQL, b.subscription, b.builds.tenant.UUID()).Scan(&s.LiveSeq, &s.Live, &skips); err != nil {
			return fmt.Errorf("lock live checkpoint: %w", err)
		}
		// Who waited may have lost the guard: another build may have been made live since.
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

// OldRows is a subscription of a tenant of which rows below the live generation may be
// left: who flipped was killed before it had deleted them, or couldn't.
type OldRows struct {
	Tenant       domain.TenantID
	Subscription string
}

// oldRowsSQL lists those of some subscriptions ($1).
const oldRowsSQL = `select tenant_id, subscription from generations
where old_rows and subscription = any ($1) order by tenant_id, subscription`

// ListOldRows lists those of some subscriptions, with the engine role. It looks at no rows
// but these, so it may be asked often.
func ListOldRows(ctx context.Context, engine *pgxpool.Pool, subscriptions []string) ([]OldRows, error) {
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

// leftSQL is the live generation of a subscription ($1) in a tenant ($2), if rows below it
// may be left.
const leftSQL = `select current from generations where tenant_id = $2 and subscription = $1 and old_rows`

// droppedSQL notes that none are left below a generation ($3) of a subscription ($1) in a
// tenant ($2).
const droppedSQL = `update generations set old_rows = false where tenant_id = $2 and subscription = $1 and current = $3`

// DropOld has drop delete what generations below the live one have kept, if a flip has
// left any, and notes that it is done. Who deletes is told to those it keeps out. Nobody
// builds the subscription meanwhile, so what another is about to delete is left to it.
//
// Errors: *BuildRunningError.
func (b *Builds) DropOld(ctx context.Context, subscription string, drop func(ctx context.Context, live int) error) error {
	err := b.take(ctx, subscription)
	var live int
	if err == nil {
		err = b.pool.QueryRow(ctx, leftSQL, subscription, b.tenant.UUID()).Scan(&live)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
	}
	if err == nil && b.bears(subscription) {
		// Without a name it goes as well; what is wrong with the database, drop meets too.
		_, _ = b.pool.Exec(ctx, signLiveSQL, subscription, b.tenant.UUID(), live, b.by)
	}
	if err == nil {
		err = drop(ctx, live)
	}
	if err == nil {
		_, err = b.pool.Exec(ctx, droppedSQL, subscription, b.tenant.UUID(), live)
	}
	if err != nil {
		return fmt.Errorf("old rows of %s of tenant %s: %w", subscription, b.tenant, err)
	}
	return nil
}
