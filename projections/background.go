package projections

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// lookForBuildsEvery is the pause between two looks at all tenants for what is to be
	// built; what the feed meets is looked at sooner.
	lookForBuildsEvery = time.Minute
	// buildAgainMost is the longest pause after failures. It is doubled with each, from 1 s.
	buildAgainMost = 10 * time.Minute
)

// Background builds the read models of whichever tenants need it, beside the feed: those
// that an older version of the fold fills, and new ones over a long log.
//
//	feed: not mine ──┐
//	every minute ────┴─▶ look (Needs) ─▶ the shortest log ─▶ pass ─▶ flip ─▶ the next …
//	                                          │
//	                     failed: again after a growing pause;
//	                     another process has it: leave it, and look again after one
//
// It never builds downwards: where a newer fold fills the rows there is nothing to do. Old
// rows that anybody's flip has left, killed before it had deleted them, it deletes.
// Every replica has one; what one builds the others leave alone.
type Background struct {
	cfg       BackgroundConfig
	rebuilder *Rebuilder
	models    map[string]readModel
	versions  map[string]int

	built, failures, waiting atomic.Int64

	end  context.CancelFunc
	done chan struct{}
	look chan struct{} // has an item when there is news

	mu      sync.Mutex
	running bool
	failed  map[need]failure // and what others have in hand
}

// BackgroundConfig sets a Background up. The zero values of all but Engine are good ones.
type BackgroundConfig struct {
	// Engine has ConnsPerWorker connections of the engine role for it.
	Engine *pgxpool.Pool
	// By is how others are told who builds.
	By string
	// Every is the time between two looks at all tenants; a minute if 0.
	Every  time.Duration
	Logger *slog.Logger
}

// need is a read model of a tenant.
type need struct {
	tenant domain.TenantID
	model  string
}

// failure is how often in a row a build has failed, how often since it was found in
// another process's hands, and when it is tried again.
type failure struct {
	times, held int
	again       time.Time
}

// NewBackground makes a Background, which does nothing before Start.
func NewBackground(cfg BackgroundConfig) *Background { return newBackground(cfg, readModels()) }

func newBackground(cfg BackgroundConfig, models []readModel) *Background {
	if cfg.Every == 0 {
		cfg.Every = lookForBuildsEvery
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Background{
		cfg: cfg, rebuilder: NewRebuilder(cfg.Engine), models: map[string]readModel{}, versions: map[string]int{},
		look: make(chan struct{}, 1), failed: map[need]failure{},
	}
	b.rebuilder.By = cfg.By
	for _, m := range models {
		b.models[m.name], b.versions[m.name] = m, m.foldVersion
	}
	return b
}

// Start begins to look and build. From its return on Leave answers for it.
func (b *Background) Start() {
	ctx, end := context.WithCancel(context.Background())
	b.end, b.done = end, make(chan struct{})
	b.mu.Lock()
	b.running = true
	b.mu.Unlock()
	go func() {
		defer close(b.done)
		b.run(ctx)
	}()
}

// Stop breaks off what is being built, which the next one goes on with, and waits. It
// may be called more than once.
func (b *Background) Stop() {
	if b.end == nil {
		return
	}
	b.mu.Lock()
	b.running = false
	b.mu.Unlock()
	b.end()
	<-b.done
}

// Counts are the read models of tenants that it has built, the builds that failed, and
// the read models that were to be built at the last look.
func (b *Background) Counts() (built, failures, waiting int64) {
	return b.built.Load(), b.failures.Load(), b.waiting.Load()
}

// Leave reports whether the feed may leave a log to it (feed.Config), and has it
// look. It may not where it failed twice in a row: then the feed begins with the log, page
// by page, and parks at the event that can't be handled, where operators find it.
func (b *Background) Leave(t domain.TenantID, model string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed[need{t, model}].times > 1 || !b.running {
		return false
	}
	select {
	case b.look <- struct{}{}:
	default:
	}
	return true
}

func (b *Background) run(ctx context.Context) {
	tick := time.NewTicker(b.cfg.Every)
	defer tick.Stop()
	var cleaned time.Time
	for {
		again := b.round(ctx)
		if time.Since(cleaned) >= b.cfg.Every {
			b.clean(ctx)
			cleaned = time.Now()
		}
		// Not at once: the feed may say the same of many tenants.
		if !pause(ctx, min(time.Second, b.cfg.Every)) {
			return
		}
		retry := time.NewTimer(again)
		select {
		case <-b.look:
		case <-tick.C:
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		retry.Stop()
	}
}

// round builds what is to be built now, and returns after which time to try again what
// failed. It ends early when what it has looked at is old.
func (b *Background) round(ctx context.Context) (again time.Duration) {
	began := time.Now()
	needs, err := feed.PendingBuilds(ctx, b.cfg.Engine, b.versions)
	if err != nil {
		if ctx.Err() == nil {
			b.cfg.Logger.Warn("can't see which read models are to be built; looking again", "error", err)
		}
		return time.Second
	}
	b.forget(needs)
	b.waiting.Store(int64(len(needs)))
	for len(needs) > 0 && ctx.Err() == nil {
		n := 1
		for n < len(needs) && needs[n].Tenant == needs[0].Tenant {
			n++
		}
		b.build(ctx, needs[:n])
		needs = needs[n:]
		if len(needs) > 0 && time.Since(began) > b.cfg.Every {
			return 0
		}
	}
	return b.next()
}

// build builds those read models of one tenant that aren't to wait after a failure, in
// one pass over its log.
func (b *Background) build(ctx context.Context, needs []feed.PendingBuild) {
	t := needs[0].Tenant
	var models []readModel
	for _, n := range needs {
		if b.due(need{t, n.Subscription}) {
			models = append(models, b.models[n.Subscription])
		}
	}
	if len(models) == 0 {
		return
	}
	log := b.cfg.Logger.With("tenant", t)
	told := &reporter{report: func(p Progress) {
		var left *OldRowsError
		switch {
		case errors.As(p.Err, &left):
			if ctx.Err() == nil {
				log.Warn("old rows of a read model not deleted; it is tried again", "model", p.Model, "error", left.Cause)
			}
		case p.Done:
			b.built.Add(1)
			log.Info("read model built in the background; it is read from now on", "model", p.Model,
				"fold_version", b.versions[p.Model], "events", p.Seq)
		case p.Err != nil && ctx.Err() == nil:
			b.fail(ctx, need{t, p.Model}, p.Err, log)
		}
	}}
	if err := b.rebuilder.pass(ctx, t, models, told, (*feed.Builds).Supersede, (*follower).rebuild); err != nil && ctx.Err() == nil {
		log.Warn("read models not built in the background; they are tried again", "error", err)
	}
}

// clean deletes the old rows that are left. It ends early when builds may be waiting.
func (b *Background) clean(ctx context.Context) {
	began := time.Now()
	left, err := feed.ListOldRows(ctx, b.cfg.Engine, slices.Sorted(maps.Keys(b.models)))
	if err != nil && ctx.Err() == nil {
		b.cfg.Logger.Warn("can't see whether there are old rows; looking again", "error", err)
	}
	for _, l := range left {
		if ctx.Err() != nil || time.Since(began) > b.cfg.Every {
			return
		}
		log := b.cfg.Logger.With("tenant", l.Tenant, "model", l.Subscription)
		err := b.cleanOne(ctx, l)
		var running *feed.BuildRunningError
		switch {
		case err == nil:
			log.Debug("old rows of a read model deleted")
		case errors.As(err, &running) || ctx.Err() != nil: // whoever builds deletes them
		default:
			log.Warn("old rows of a read model not deleted; it is tried again", "error", err)
		}
	}
}

func (b *Background) cleanOne(ctx context.Context, l feed.OldRows) error {
	builds, err := feed.OpenBuilds(ctx, b.cfg.Engine, l.Tenant, b.cfg.By)
	if err != nil {
		return err
	}
	defer builds.Close()
	return b.rebuilder.dropOld(ctx, builds, l.Tenant, b.models[l.Subscription], b.rebuilder.newTurns())
}

// fail notes that a build came to nothing. That others have it is no failure, but no
// reason to ask every second either.
func (b *Background) fail(ctx context.Context, n need, err error, log *slog.Logger) {
	var running *feed.BuildRunningError
	b.mu.Lock()
	f := b.failed[n]
	switch {
	case errors.Is(err, feed.ErrNotNeeded): // another has done it
		delete(b.failed, n)
		b.mu.Unlock()
		return
	case errors.As(err, &running):
		// No longer than to the next look at all: who has it may die.
		f.again = time.Now().Add(min(doubled(f.held), b.cfg.Every))
		f.held++
		b.failed[n] = f
		b.mu.Unlock()
		return
	}
	f.again = time.Now().Add(min(doubled(f.times), buildAgainMost))
	f.times, f.held = f.times+1, 0
	b.failed[n] = f
	b.mu.Unlock()
	if errors.Is(err, domain.ErrUnknownEvent) {
		log.Info("the build is left to a newer version", "model", n.model, "error", err)
		return
	}
	b.failures.Add(1)
	log.Error("read model not built in the background; the old rows are read, and it is tried again", "model", n.model,
		"failures", f.times, "retry_at", f.again, "error", err)
	var failure *RebuildError
	if errors.As(err, &failure) {
		err = failure.Cause
	}
	if err := feed.NoteFailure(ctx, b.cfg.Engine, n.tenant, n.model, b.versions[n.model], err); err != nil && ctx.Err() == nil {
		log.Warn("a failed build isn't listed", "model", n.model, "error", err)
	}
}

// doubled is a second, doubled so many times.
func doubled(times int) time.Duration { return time.Second << min(times, 20) }

func (b *Background) due(n need) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.failed[n].again.After(time.Now())
}

// forget drops what is known of what needs no build any more.
func (b *Background) forget(needs []feed.PendingBuild) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := map[need]failure{}
	for _, n := range needs {
		if f, ok := b.failed[need{n.Tenant, n.Subscription}]; ok {
			kept[need{n.Tenant, n.Subscription}] = f
		}
	}
	b.failed = kept
}

// next is how long it is until something that came to nothing is tried again, at most until the
// next look at all.
func (b *Background) next() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := b.cfg.Every
	for _, f := range b.failed {
		next = min(next, max(0, time.Until(f.again)))
	}
	return next
}

// pause waits; it is false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
