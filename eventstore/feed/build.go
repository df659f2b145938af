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

// Build fills a new generation of a subscription's rows in one tenant, from the first
// event on. The live generation stays in use meanwhile. A build has its own checkpoint,
// so an interrupted build resumes there. Its methods must not be called concurrently;
// those of different builds of one Builds may be.
type Build struct {
	builds       *Builds
	subscription string
	foldVersion  int
	generation   int
	seq          int64
	// through is the last seq that Page and Apply may reach (LimitToLive).
	through int64
	// interest says what Page and Switch need not read.
	interest Interest
	bytes    int
}

// resumeBuildSQL finds the checkpoint of an interrupted build of a subscription ($1) in a
// tenant ($2) by the same fold version ($3). A build that is ahead of the log has events
// that the log lost.
const resumeBuildSQL = `select c.generation, c.seq from checkpoints c
where c.tenant_id = $2 and c.subscription = $1 and c.fold_version = $3
  and c.generation > coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)
  and c.seq <= coalesce((select e.seq from events e where e.tenant_id = $2 order by e.seq desc limit 1), 0)
order by c.generation desc limit 1`

// beginBuildSQL creates the checkpoint of a new build of a subscription ($1) in a
// tenant ($2) by a fold version ($3). Its generation is above any that has rows,
// abandoned ones included.
const beginBuildSQL = `insert into checkpoints (tenant_id, subscription, generation, fold_version)
select $2, $1, 1 + greatest(
  coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1),
  (select max(c.generation) from checkpoints c where c.tenant_id = $2 and c.subscription = $1)), $3
returning generation, seq`

// Start begins or resumes the build of a subscription's next generation.
// foldVersion is that of the code which fills it. An interrupted build by another fold
// version isn't resumed: Start begins a new one.
//
// Errors: *BuildRunningError.
func (b *Builds) Start(ctx context.Context, subscription string, foldVersion int) (*Build, error) {
	return b.start(ctx, subscription, foldVersion, func(context.Context, pgx.Tx) error { return nil })
}

// start begins or resumes a build unless check returns an error. check runs under the
// lock that excludes other builds.
func (b *Builds) start(ctx context.Context, subscription string, foldVersion int, check func(context.Context, pgx.Tx) error) (*Build, error) {
	build := &Build{builds: b, subscription: subscription, foldVersion: foldVersion, through: math.MaxInt64}
	err := b.take(ctx, subscription)
	if err == nil {
		err = step(ctx, func(ctx context.Context) error { return b.begin(ctx, build, check) })
	}
	if err != nil {
		return nil, fmt.Errorf("start build of %s: %w", subscription, err)
	}
	return build, nil
}

// begin is the transaction of start.
func (b *Builds) begin(ctx context.Context, build *Build, check func(context.Context, pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
		if err := check(ctx, tx); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, resumeBuildSQL, build.subscription, b.tenant.UUID(), build.foldVersion).Scan(&build.generation, &build.seq)
		if errors.Is(err, pgx.ErrNoRows) {
			err = tx.QueryRow(ctx, beginBuildSQL, build.subscription, b.tenant.UUID(), build.foldVersion).Scan(&build.generation, &build.seq)
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, signBuildSQL, build.subscription, b.tenant.UUID(), build.generation, b.by)
		return err
	})
}

// signBuildSQL records the builder's name ($4, empty: unknown) at the checkpoint of a
// build ($1 subscription, $2 tenant, $3 generation).
const signBuildSQL = `update checkpoints set built_by = nullif($4, ''), built_since = clock_timestamp()
where tenant_id = $2 and subscription = $1 and generation = $3`

// Ignore names the types of events that fill ignores, and states that fill doesn't use
// the events' Meta. The build then reads neither, as a live subscription with the same
// Interest does. Call it before Page, Switch and WithLivePaused, if at all.
func (b *Build) Ignore(types []string) { b.interest = Interest{Ignores: types, NoMeta: true} }

// Seq is the last seq that the build has folded.
func (b *Build) Seq() int64 { return b.seq }

// Bytes is the size of the last Page's events as Postgres sent them.
func (b *Build) Bytes() int { return b.bytes }

// Generation is the generation that the build fills.
func (b *Build) Generation() int { return b.generation }

// lockBuildSQL locks the checkpoint of a build ($1 subscription, $2 tenant, $3
// generation, $4 fold version) and reads its seq and the skipped events after that. An
// abandoned build (abandonBuildsSQL) has no such checkpoint.
const lockBuildSQL = `select c.seq, array(select s.seq from skips s
  where s.tenant_id = $2 and s.subscription = $1 and s.seq > c.seq order by s.seq)
from checkpoints c where c.tenant_id = $2 and c.subscription = $1 and c.generation = $3
  and c.fold_version = $4 for no key update of c`

// Page gives fill up to limit events, fewer where they are large (Read), and leaves out
// skipped ones. The build's checkpoint advances in the transaction in which fill writes.
// Page returns how many events the checkpoint advanced by, skipped ones included: 0 at the
// end of the log or at the limit of LimitToLive.
func (b *Build) Page(ctx context.Context, limit int, fill Fill) (int, error) {
	before := b.seq
	err := b.step(ctx, func(tx pgx.Tx) error { return b.read(ctx, tx, limit, b.through, fill) })
	return int(b.seq - before), err
}

// Apply is Page for a range of the log that was read once for several builds. It leaves
// out the events that the build has folded already. A range that begins after the build's
// checkpoint changes nothing and is an error.
func (b *Build) Apply(ctx context.Context, s Range, fill Fill) error {
	return b.step(ctx, func(tx pgx.Tx) error {
		skips, err := b.lock(ctx, tx)
		if err != nil {
			return err
		}
		if s.After > b.seq {
			return fmt.Errorf("the build is at %d, and the range begins after %d", b.seq, s.After)
		}
		s = s.until(b.through)
		return b.fold(ctx, tx, skips.without(s.since(b.seq)), max(s.Through, b.seq), skips, fill)
	})
}

// step runs one step of the build in a transaction. b.seq is afterwards the committed seq.
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

// read reads and folds one page, up to a seq.
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

// guarded makes a Fill return an error instead of panicking, as the router's Recoverer
// does for live subscriptions: a panic in a fold must not end the server.
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

// fold gives fill the events of the log up to a seq. It moves the checkpoint there, or to
// the last of the skipped events that follow directly.
func (b *Build) fold(ctx context.Context, tx pgx.Tx, events []domain.Recorded, through int64, skips skipped, fill Fill) error {
	p := &Page{Subscription: b.subscription, Tenant: b.builds.tenant, Generation: b.generation, Events: events, Tx: tx}
	if len(events) > 0 {
		// Without waiting for the disk: the write-ahead log has all pages of a build before
		// its switch, and the switch before the deletion of the old rows.
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
