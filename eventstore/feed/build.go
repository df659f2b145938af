package feed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// buildLockWait is how long a Switch waits for the page that the live subscription
// is handling: as long as a handler may take, and a little more.
const buildLockWait = 45 * time.Second

// Fill writes what a page's events make of the rows of its generation.
type Fill func(context.Context, *Page) error

// Build is the making of a new generation of what a subscription keeps for one
// tenant, from the first event on and beside the live one. It has a checkpoint of
// its own, so a build that was broken off goes on where it stood. Its methods must
// not be called at the same time; those of other builds of the same Builds may.
type Build struct {
	builds       *Builds
	subscription string
	foldVersion  int
	generation   int
	seq          int64
	// through is how far Page and Apply go: LimitToLive.
	through int64
	// interest says what Page and Switch need not read.
	interest Interest
	bytes    int
}

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

// Start begins or resumes the build of a subscription's next generation.
// foldVersion is that of the code which will fill it: a build that was broken off
// by another is left lying and begun anew.
//
// Errors: *BuildRunningError.
func (b *Builds) Start(ctx context.Context, subscription string, foldVersion int) (*Build, error) {
	return b.start(ctx, subscription, foldVersion, func(pgx.Tx) error { return nil })
}

// start begins or resumes a build if check, which runs while nobody else builds, has
// nothing against it.
func (b *Builds) start(ctx context.Context, subscription string, foldVersion int, check func(pgx.Tx) error) (*Build, error) {
	build := &Build{builds: b, subscription: subscription, foldVersion: foldVersion, through: math.MaxInt64}
	err := b.take(ctx, subscription)
	if err == nil {
		err = pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
			if err := check(tx); err != nil {
				return err
			}
			err := tx.QueryRow(ctx, resumeBuildSQL, subscription, b.tenant.UUID(), foldVersion).Scan(&build.generation, &build.seq)
			if errors.Is(err, pgx.ErrNoRows) {
				err = tx.QueryRow(ctx, beginBuildSQL, subscription, b.tenant.UUID(), foldVersion).Scan(&build.generation, &build.seq)
			}
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, signBuildSQL, subscription, b.tenant.UUID(), build.generation, b.by)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("start build of %s: %w", subscription, err)
	}
	return build, nil
}

// signBuildSQL notes at the checkpoint of a build ($1 subscription, $2 tenant, $3
// generation) who builds ($4, empty: nobody knows).
const signBuildSQL = `update checkpoints set built_by = nullif($4, ''), built_since = clock_timestamp()
where tenant_id = $2 and subscription = $1 and generation = $3`

// Ignore says of which types of events fill makes nothing, and that it doesn't look at
// the events' Meta: the build reads neither, as the live subscription with the same
// Interest. To be called before Page, Switch and WithLivePaused, if at all.
func (b *Build) Ignore(types []string) { b.interest = Interest{Ignores: types, NoMeta: true} }

// Seq is the last seq that the build has folded.
func (b *Build) Seq() int64 { return b.seq }

// Bytes is how long the events of the last Page were, as they were sent.
func (b *Build) Bytes() int { return b.bytes }

// Generation is the generation that the build fills.
func (b *Build) Generation() int { return b.generation }

// lockBuildSQL locks the checkpoint of a build ($1 subscription, $2 tenant, $3
// generation, $4 fold version) and reads where it stands and which events after that are
// skipped. There is none where the build was given up (abandonBuildsSQL).
const lockBuildSQL = `select c.seq, array(select s.seq from skips s
  where s.tenant_id = $2 and s.subscription = $1 and s.seq > c.seq order by s.seq)
from checkpoints c where c.tenant_id = $2 and c.subscription = $1 and c.generation = $3
  and c.fold_version = $4 for no key update of c`

// Page gives fill up to limit events, fewer where they are large (Read), without those
// that are skipped, and in the transaction in which fill wrote advances the build's
// checkpoint. It returns how many events it went past, skipped ones too: none at the
// end, which is the log's or that of LimitToLive.
func (b *Build) Page(ctx context.Context, limit int, fill Fill) (int, error) {
	before := b.seq
	err := b.step(ctx, func(tx pgx.Tx) error { return b.read(ctx, tx, limit, b.through, fill) })
	return int(b.seq - before), err
}

// Apply is Page for a stretch of the log that was read already, for several builds
// together. What the build has folded of it before is left out. A stretch that
// begins behind the build's checkpoint changes nothing, and is an error.
func (b *Build) Apply(ctx context.Context, s Range, fill Fill) error {
	return b.step(ctx, func(tx pgx.Tx) error {
		skips, err := b.lock(ctx, tx)
		if err != nil {
			return err
		}
		if s.After > b.seq {
			return fmt.Errorf("the build stands at %d, and the stretch begins after %d", b.seq, s.After)
		}
		s = s.until(b.through)
		return b.fold(ctx, tx, skips.without(s.since(b.seq)), max(s.Through, b.seq), skips, fill)
	})
}

// step runs one step of the build in a transaction. b.seq is what was committed.
func (b *Build) step(ctx context.Context, do func(pgx.Tx) error) error {
	before := b.seq
	err := b.builds.check(ctx)
	if err == nil {
		err = pgx.BeginFunc(ctx, b.builds.pool, do)
	}
	if err != nil {
		b.seq = before
		return fmt.Errorf("build of %s for tenant %s: %w", b.subscription, b.builds.tenant, err)
	}
	return nil
}

// lock locks the build's checkpoint.
func (b *Build) lock(ctx context.Context, tx pgx.Tx) (skips skipped, err error) {
	err = tx.QueryRow(ctx, lockBuildSQL, b.subscription, b.builds.tenant.UUID(), b.generation, b.foldVersion).Scan(&b.seq, &skips)
	if err != nil {
		return nil, fmt.Errorf("lock checkpoint: %w", err)
	}
	return skips, nil
}

// read is one page by the build's own reading, up to a seq.
func (b *Build) read(ctx context.Context, tx pgx.Tx, limit int, most int64, fill Fill) error {
	skips, err := b.lock(ctx, tx)
	if err != nil {
		return err
	}
	s, err := readRange(ctx, tx, b.builds.tenant, b.seq, most, limit, b.interest, skips)
	b.bytes = s.Bytes
	if err != nil {
		return err
	}
	return b.fold(ctx, tx, s.Events, s.Through, skips, fill)
}

// guarded is a Fill that survives panics, as the router's Recoverer has live
// subscriptions do: a fold that panics must not end a server that builds with it.
func guarded(fill Fill) Fill {
	return func(ctx context.Context, p *Page) (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%w: %v", errPanicked, r)
			}
		}()
		return fill(ctx, p)
	}
}

// fold gives fill the events of the log up to a seq, and moves the checkpoint there,
// or behind those that are skipped after it.
func (b *Build) fold(ctx context.Context, tx pgx.Tx, events []domain.Recorded, through int64, skips skipped, fill Fill) error {
	p := &Page{Subscription: b.subscription, Tenant: b.builds.tenant, Generation: b.generation, Events: events, Tx: tx}
	if len(events) > 0 {
		// In the write-ahead log the pages of a build all stand before its flip, and that
		// before the deletion of the old rows.
		if _, err := tx.Exec(ctx, pageSettingsSQL); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
		if err := guarded(fill)(ctx, p); err != nil {
			return err
		}
	}
	through = skips.past(through)
	if through == b.seq {
		return nil
	}
	p.Queue(advanceSQL, b.builds.tenant.UUID(), b.subscription, b.generation, through, false)
	if err := p.carryOut(ctx); err != nil {
		return fmt.Errorf("write, and advance the checkpoint: %w", err)
	}
	b.seq = through
	return nil
}
