package feed

import (
	"context"
	"docket/internal/wait"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// awaitLiveMost is how long AwaitLive waits for a live subscription: whoever found its
// checkpoint locked has looked again by then.
const awaitLiveMost = 2 * lookAgainAfter

// awaitLiveLooks is how often AwaitLive looks meanwhile.
const awaitLiveLooks = 10 * time.Millisecond

// StartLimited is Start for a build whose rows are to be compared with the live ones:
// it stays behind the live subscription (LimitToLive). What a rebuild that was broken
// off has folded further than that is left lying, and it is begun anew.
//
// Errors: *BuildRunningError.
func (b *Builds) StartLimited(ctx context.Context, subscription string, foldVersion int) (*Build, error) {
	build, err := b.Start(ctx, subscription, foldVersion)
	if err != nil {
		return nil, err
	}
	live, err := build.LimitToLive(ctx)
	if err == nil && build.seq > live {
		if err = build.release(ctx); err != nil {
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

// LimitToLive keeps Page and Apply from going further than the live subscription is
// now, and returns how far that is. Asked again, it lets them go on to where that is
// then. It goes forward only.
func (b *Build) LimitToLive(ctx context.Context) (int64, error) {
	live, err := b.live(ctx)
	if err != nil {
		return 0, err
	}
	b.through = live.seq
	return b.through, nil
}

// Through is how far Page and Apply go; without LimitToLive to the log's end.
func (b *Build) Through() int64 { return b.through }

// liveSeqSQL reads where the live subscription ($1) of a tenant ($2) stands, which
// events after that are skipped, whether it is parked, and the log's last seq.
const liveSeqSQL = `select c.seq, array(select s.seq from skips s
  where s.tenant_id = $2 and s.subscription = $1 and s.seq > c.seq order by s.seq), c.retry_at is not null,
  coalesce((select e.seq from events e where e.tenant_id = $2 order by e.seq desc limit 1), 0)
from checkpoints c where c.tenant_id = $2 and c.subscription = $1
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)`

// liveAt is where a live subscription stands.
type liveAt struct {
	// seq is how far its rows go: to its checkpoint, and past what is skipped then.
	seq int64
	// waits: it has events left, and isn't parked.
	waits bool
}

func (b *Build) live(ctx context.Context) (liveAt, error) {
	var (
		seq, head int64
		skips     skipped
		parked    bool
	)
	err := b.builds.pool.QueryRow(ctx, liveSeqSQL, b.subscription, b.builds.tenant.UUID()).Scan(&seq, &skips, &parked, &head)
	if errors.Is(err, pgx.ErrNoRows) {
		return liveAt{}, nil // it was never handled
	}
	if err != nil {
		return liveAt{}, fmt.Errorf("build of %s: read live checkpoint: %w", b.subscription, err)
	}
	return liveAt{seq: skips.past(seq), waits: seq < head && !parked}, nil
}

// AwaitLive waits until the live subscription has gone on, or has nothing left, or a
// tenth of a second has gone by. To be called between two calls of WithLivePaused: who finds
// a checkpoint locked looks again only after a while, and would find it locked again.
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

// dropBuildsSQL deletes the checkpoints of a subscription's ($1) builds in a tenant ($2)
// that were given up, after a generation ($3) and up to another ($4).
const dropBuildsSQL = `delete from checkpoints where tenant_id = $2 and subscription = $1
  and generation > $3 and generation <= $4 and fold_version is null`

// Abandon gives the build up, and with it all that others have left lying. drop has
// to delete what generations after the live one have kept, up to the last that was given
// up: what another builds who has got the right to it meanwhile, or has made live, lies
// above. Their checkpoints go last, so that after a crash no later build takes what is left
// for its own.
func (b *Build) Abandon(ctx context.Context, drop func(ctx context.Context, live, last int) error) error {
	err := b.builds.check(ctx)
	var live, last int
	if err == nil {
		err = b.builds.pool.QueryRow(ctx, liveGenerationSQL, b.subscription, b.builds.tenant.UUID()).Scan(&live)
	}
	if err == nil {
		err = b.release(ctx)
	}
	if err == nil {
		err = b.builds.pool.QueryRow(ctx, lastGivenUpSQL, b.subscription, b.builds.tenant.UUID(), live).Scan(&last)
	}
	if err == nil {
		err = drop(ctx, live, last)
	}
	if err == nil {
		_, err = b.builds.pool.Exec(ctx, dropBuildsSQL, b.subscription, b.builds.tenant.UUID(), live, last)
	}
	if err != nil {
		return fmt.Errorf("abandon build of %s for tenant %s: %w", b.subscription, b.builds.tenant, err)
	}
	return nil
}

// lastGivenUpSQL is the last generation of a subscription ($1) in a tenant ($2), after
// another ($3), whose build was given up; that one where there is none.
const lastGivenUpSQL = `select coalesce(max(c.generation), $3) from checkpoints c
where c.tenant_id = $2 and c.subscription = $1 and c.generation > $3 and c.fold_version is null`

// liveGenerationSQL reads the generation of a subscription ($1) that is live in a tenant ($2).
const liveGenerationSQL = `select coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)`

// giveUp keeps the build from being gone on with.
func (b *Build) release(ctx context.Context) error {
	if _, err := b.builds.pool.Exec(ctx, abandonBuildsSQL, b.builds.tenant.UUID(), b.subscription); err != nil {
		return fmt.Errorf("give up build of %s: %w", b.subscription, err)
	}
	return nil
}
