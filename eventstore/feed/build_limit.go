package feed

import (
	"context"
	"docket/internal/wait"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// awaitLiveMost is how long AwaitLive waits for a live subscription. A worker that found
// the checkpoint locked has tried again by then.
const awaitLiveMost = 2 * lookAgainAfter

// awaitLiveLooks is AwaitLive's polling interval.
const awaitLiveLooks = 10 * time.Millisecond

// StartLimited is Start for a build whose rows are to be compared with the live ones:
// it never gets ahead of the live subscription (LimitToLive). If an interrupted rebuild
// has folded further than that, StartLimited abandons it and begins a new one.
//
// Errors: *BuildRunningError.
func (b *Builds) StartLimited(ctx context.Context, subscription string, foldVersion int) (*Build, error) {
	build, err := b.Start(ctx, subscription, foldVersion)
	if err != nil {
		return nil, err
	}
	live, err := build.LimitToLive(ctx)
	if err == nil && build.seq > live {
		if err = build.markAbandoned(ctx); err != nil {
			return nil, err
		}
		if build, err = b.Start(ctx, subscription, foldVersion); err != nil {
			return nil, err
		}
		_, err = build.LimitToLive(ctx)
	}
	if err != nil {
		return nil, err
	}
	return build, nil
}

// LimitToLive limits Page and Apply to the seq that the live subscription has reached now,
// and returns that seq. Another call raises the limit to the seq reached by then.
func (b *Build) LimitToLive(ctx context.Context) (int64, error) {
	live, err := b.live(ctx)
	if err != nil {
		return 0, err
	}
	b.through = live.seq
	return b.through, nil
}

// Through is the last seq that Page and Apply may reach. Without LimitToLive there is no limit.
func (b *Build) Through() int64 { return b.through }

// liveSeqSQL reads the checkpoint's seq of the live subscription ($1) of a tenant ($2),
// the skipped events after it, whether it is parked, and the log's last seq.
const liveSeqSQL = `select c.seq, array(select s.seq from skips s
  where s.tenant_id = $2 and s.subscription = $1 and s.seq > c.seq order by s.seq), c.retry_at is not null,
  coalesce((select e.seq from events e where e.tenant_id = $2 order by e.seq desc limit 1), 0)
from checkpoints c where c.tenant_id = $2 and c.subscription = $1
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)`

// liveAt is the state of a live subscription.
type liveAt struct {
	// seq is the last event in its rows, or the last skipped one that follows directly.
	seq int64
	// waits says that it has events left and isn't parked.
	waits bool
}

func (b *Build) live(ctx context.Context) (liveAt, error) {
	var (
		seq, head int64
		skips     skipped
		parked    bool
	)
	err := stepRow(ctx, b.builds.pool, []any{&seq, &skips, &parked, &head}, liveSeqSQL, b.subscription, b.builds.tenant.UUID())
	if errors.Is(err, pgx.ErrNoRows) {
		return liveAt{}, nil // it was never handled
	}
	if err != nil {
		return liveAt{}, fmt.Errorf("build of %s: read live checkpoint: %w", b.subscription, err)
	}
	return liveAt{seq: skips.past(seq), waits: seq < head && !parked}, nil
}

// AwaitLive waits until the live subscription has advanced or has no events left, for a
// tenth of a second at most. Call it between two calls of WithLivePaused: a worker that
// finds the checkpoint locked tries again only after a pause, and without AwaitLive would
// find it locked again.
func (b *Build) AwaitLive(ctx context.Context) error {
	began := time.Now()
	first, err := b.live(ctx)
	for now := first; err == nil && now.waits && now.seq == first.seq && time.Since(began) < awaitLiveMost; {
		if !wait.Sleep(ctx, awaitLiveLooks) {
			return ctx.Err()
		}
		now, err = b.live(ctx)
	}
	return err
}

// dropBuildsSQL deletes the checkpoints of a subscription's ($1) abandoned builds in a
// tenant ($2), after a generation ($3) and up to another ($4).
const dropBuildsSQL = `delete from checkpoints where tenant_id = $2 and subscription = $1
  and generation > $3 and generation <= $4 and fold_version is null`

// Abandon abandons the build, and with it all interrupted builds of the subscription. drop
// must delete the rows of the generations after live, up to last. Another process may hold
// the lock by then: the generation that it builds, or has made live, is above last. The
// checkpoints are deleted last, so that after a crash no later build reuses a generation
// whose rows are left over.
func (b *Build) Abandon(ctx context.Context, drop func(ctx context.Context, live, last int) error) error {
	err := b.builds.check(ctx)
	var live, last int
	if err == nil {
		err = stepRow(ctx, b.builds.pool, []any{&live}, liveGenerationSQL, b.subscription, b.builds.tenant.UUID())
	}
	if err == nil {
		err = b.markAbandoned(ctx)
	}
	if err == nil {
		err = stepRow(ctx, b.builds.pool, []any{&last}, lastAbandonedSQL, b.subscription, b.builds.tenant.UUID(), live)
	}
	if err == nil {
		err = drop(ctx, live, last)
	}
	if err == nil {
		err = stepExec(ctx, b.builds.pool, dropBuildsSQL, b.subscription, b.builds.tenant.UUID(), live, last)
	}
	if err != nil {
		return fmt.Errorf("abandon build of %s for tenant %s: %w", b.subscription, b.builds.tenant, err)
	}
	return nil
}

// lastAbandonedSQL is the last generation of a subscription ($1) in a tenant ($2), after
// another ($3), whose build was abandoned; $3 where there is none.
const lastAbandonedSQL = `select coalesce(max(c.generation), $3) from checkpoints c
where c.tenant_id = $2 and c.subscription = $1 and c.generation > $3 and c.fold_version is null`

// liveGenerationSQL reads the generation of a subscription ($1) that is live in a tenant ($2).
const liveGenerationSQL = `select coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)`

// markAbandoned marks the build as abandoned, so that it can't be resumed.
func (b *Build) markAbandoned(ctx context.Context) error {
	if err := stepExec(ctx, b.builds.pool, abandonBuildsSQL, b.builds.tenant.UUID(), b.subscription); err != nil {
		return fmt.Errorf("mark the build of %s as abandoned: %w", b.subscription, err)
	}
	return nil
}
