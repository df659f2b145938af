package rebuild

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
	"docket/internal/wait"
	"docket/projections"

	"github.com/jackc/pgx/v5/pgxpool"
)

// scanEvery is the pause between two scans of all tenants for pending builds; a log
// that the feed leaves to a build wakes the Background sooner.
const scanEvery = time.Minute

// Background builds read models beside the feed: those that an older version of the
// fold filled, and new ones over a long log.
//
//	feed: left to a build ──┐
//	every minute ───────────┴─▶ PendingBuilds ─▶ the shortest log ─▶ build ─▶ switch ─▶ the next …
//	                                                │
//	                           failed: retried after a growing pause;
//	                           held by another process: left to it, checked again later
//
// It never builds by an older fold: rows of a newer fold need nothing. It also deletes
// old rows that a process left because it was killed after a switch. Every replica has
// a Background; a build runs in one of them.
type Background struct {
	cfg       BackgroundConfig
	rebuilder *Rebuilder
	models    map[string]projections.ReadModel
	versions  map[string]int

	built, failures, pending atomic.Int64

	end  context.CancelFunc
	done chan struct{}
	wake chan struct{} // has an item when the feed has left a log to it

	mu      sync.Mutex
	running bool
	delayed delays
}

// BackgroundConfig configures a Background. Only Engine is required.
type BackgroundConfig struct {
	// Engine is a pool of the engine role with ConnsPerWorker connections for it.
	Engine *pgxpool.Pool
	// By names the process that builds; other processes show it.
	By string
	// Every is the time between two scans of all tenants; a minute if 0.
	Every  time.Duration
	Logger *slog.Logger
}

// NewBackground makes a Background, which does nothing before Start.
func NewBackground(cfg BackgroundConfig) *Background {
	return newBackground(cfg, projections.ReadModels())
}

func newBackground(cfg BackgroundConfig, models []projections.ReadModel) *Background {
	if cfg.Every == 0 {
		cfg.Every = scanEvery
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Background{
		cfg: cfg, rebuilder: New(cfg.Engine), models: map[string]projections.ReadModel{}, versions: map[string]int{},
		wake: make(chan struct{}, 1), delayed: delays{},
	}
	b.rebuilder.By = cfg.By
	for _, m := range models {
		b.models[m.Name], b.versions[m.Name] = m, m.FoldVersion
	}
	return b
}

// Start starts to scan and build. From its return on Accepts answers for it.
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

// Stop interrupts the build under way, which the next Background resumes, and waits. It
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

// Counts are the numbers of read models of tenants that were built, of builds that
// failed, and of builds that were pending at the last scan.
func (b *Background) Counts() (built, failures, pending int64) {
	return b.built.Load(), b.failures.Load(), b.pending.Load()
}

// Accepts reports whether the feed may leave a log to a build (feed.Config), and wakes the
// Background. It refuses what it failed to build twice in a row: then the feed starts with
// the log, page by page, and parks at the event that can't be handled, where operators
// find it.
func (b *Background) Accepts(t domain.TenantID, model string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.delayed[target{t, model}].failures > 1 || !b.running {
		return false
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

func (b *Background) run(ctx context.Context) {
	tick := time.NewTicker(b.cfg.Every)
	defer tick.Stop()
	var cleaned time.Time
	for {
		retryIn := b.runPending(ctx)
		if time.Since(cleaned) >= b.cfg.Every {
			b.deleteOldRows(ctx)
			cleaned = time.Now()
		}
		// A pause, as the feed may leave many tenants at once.
		if !wait.Sleep(ctx, min(time.Second, b.cfg.Every)) {
			return
		}
		retry := time.NewTimer(retryIn)
		select {
		case <-b.wake:
		case <-tick.C:
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		retry.Stop()
	}
}

// runPending runs the pending builds, and returns the time until the next retry. It
// returns early when its list is old.
func (b *Background) runPending(ctx context.Context) time.Duration {
	began := time.Now()
	builds, err := feed.PendingBuilds(ctx, b.cfg.Engine, b.versions)
	if err != nil {
		if ctx.Err() == nil {
			b.cfg.Logger.Warn("can't list the pending builds of read models; trying again", "error", err)
		}
		return time.Second
	}
	b.mu.Lock()
	b.delayed.prune(builds)
	b.mu.Unlock()
	b.pending.Store(int64(len(builds)))
	for len(builds) > 0 && ctx.Err() == nil {
		n := 1
		for n < len(builds) && builds[n].Tenant == builds[0].Tenant {
			n++
		}
		b.build(ctx, builds[:n])
		builds = builds[n:]
		if len(builds) > 0 && time.Since(began) > b.cfg.Every {
			return 0
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.delayed.untilNext(b.cfg.Every)
}

// build builds the read models of one tenant that aren't delayed, in one reading of
// its log.
func (b *Background) build(ctx context.Context, builds []feed.PendingBuild) {
	t := builds[0].Tenant
	var models []projections.ReadModel
	for _, p := range builds {
		b.mu.Lock()
		due := b.delayed.due(target{t, p.Subscription})
		b.mu.Unlock()
		if due {
			models = append(models, b.models[p.Subscription])
		}
	}
	if len(models) == 0 {
		return
	}
	log := b.cfg.Logger.With("tenant", t)
	reports := &reporter{report: func(p Progress) {
		var failure *Error
		switch {
		case errors.As(p.Err, &failure) && failure.Op == OpDeleteOldRows:
			if ctx.Err() == nil {
				log.Warn("old rows of a read model not deleted; it is tried again", "model", p.Model, "error", failure.Cause)
			}
		case p.Done:
			b.built.Add(1)
			log.Info("read model built in the background; it is read from now on", "model", p.Model,
				"fold_version", b.versions[p.Model], "events", p.Seq)
		case p.Err != nil && ctx.Err() == nil:
			b.fail(ctx, target{t, p.Model}, p.Err, log)
		}
	}}
	if err := b.rebuilder.rebuildTenant(ctx, t, models, reports, (*feed.Builds).Supersede, (*builder).rebuild); err != nil && ctx.Err() == nil {
		log.Warn("read models not built in the background; they are tried again", "error", err)
	}
}

// deleteOldRows deletes old rows that were left. It returns early when builds may be
// pending.
func (b *Background) deleteOldRows(ctx context.Context) {
	began := time.Now()
	left, err := feed.ListOldRows(ctx, b.cfg.Engine, slices.Sorted(maps.Keys(b.models)))
	if err != nil && ctx.Err() == nil {
		b.cfg.Logger.Warn("can't list the old rows of read models; trying again", "error", err)
	}
	for _, old := range left {
		if ctx.Err() != nil || time.Since(began) > b.cfg.Every {
			return
		}
		log := b.cfg.Logger.With("tenant", old.Tenant, "model", old.Subscription)
		err := b.dropOld(ctx, old)
		var running *feed.BuildRunningError
		switch {
		case err == nil:
			log.Debug("old rows of a read model deleted")
		case errors.As(err, &running) || ctx.Err() != nil: // the process that builds deletes them
		default:
			log.Warn("old rows of a read model not deleted; it is tried again", "error", err)
		}
	}
}

func (b *Background) dropOld(ctx context.Context, old feed.OldRows) error {
	builds, err := feed.OpenBuilds(ctx, b.cfg.Engine, old.Tenant, b.cfg.By)
	if err != nil {
		return err
	}
	defer builds.Close()
	return b.rebuilder.dropOld(ctx, builds, old.Tenant, b.models[old.Subscription], b.rebuilder.newLimiter())
}
