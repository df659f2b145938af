package feed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"docket/domain"
)

// LongLog is the least number of missing events for which a subscription leaves a log to a
// build instead of handling it page by page.
const LongLog = 2_000

// ownerKnownFor is how long a worker relies on what it knows of a checkpoint's fold version. A
// switch notifies all replicas at once; ownerKnownFor bounds the error while one isn't connected.
const ownerKnownFor = 5 * time.Second

// owner says whether a checkpoint was this version's to move, at a time.
type owner struct {
	mine bool
	at   time.Time
}

// sinceSQL registers those of some subscriptions ($1) that are new, with the time.
const sinceSQL = `insert into subscriptions (name) select unnest($1::text[]) on conflict do nothing`

// Begin registers the subscriptions with folds. They follow younger logs from the first
// event on. Older logs have to be folded to their end before a query may read the rows
// (Positions.BuildComplete). Call Begin before Subscribe; without it all logs count as
// younger.
func (f *Feed) Begin(ctx context.Context) error {
	names := []string{}
	for name, i := range f.cfg.Interests {
		if i.FoldVersion != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names) // all replicas insert in one order, so that they don't deadlock
	if _, err := f.cfg.Pool.Exec(ctx, sinceSQL, names); err != nil {
		return fmt.Errorf("begin subscriptions: %w", err)
	}
	return nil
}

// fold is a subscription's fold version here; nil where it has none.
func (f *Feed) fold(subscription string) *int {
	if v := f.cfg.Interests[subscription].FoldVersion; v != 0 {
		return &v
	}
	return nil
}

// switched forgets the cached state of these tenants: other folds may fill their rows.
func (f *Feed) switched(tenants []domain.TenantID) {
	f.mu.Lock()
	subs := maps.Clone(f.subs)
	f.mu.Unlock()
	names := slices.Collect(maps.Keys(subs))
	for _, t := range tenants {
		for _, n := range subs {
			n.change(t, func(s *tenantState) { s.owner = owner{} })
		}
		f.positions.drop(t, names)
	}
}

func (w *worker) fold() *int { return w.feed.fold(w.subscription) }

// foreign reports whether another version's fold fills the live generation. That can't
// change while the generation is live.
func (w *worker) foreign(at checkpoint) bool {
	mine := w.fold()
	return mine != nil && at.foldVersion != 0 && at.foldVersion != *mine
}

// leftToBuild reports whether the log is left to a build.
func (w *worker) leftToBuild(t domain.TenantID, at checkpoint) bool {
	return w.feed.cfg.Leave != nil && w.fold() != nil && at.missing >= LongLog && !w.foreign(at) && w.feed.cfg.Leave(t, w.subscription)
}

// holds reports whether the tenant's checkpoint is this version's to move; known is false
// where that has to be looked up.
func (w *worker) holds(t domain.TenantID) (mine, known bool) {
	if w.fold() == nil {
		return true, true
	}
	var o owner
	w.pending.change(t, func(s *tenantState) { o = s.owner })
	if time.Since(o.at) > ownerKnownFor {
		return false, false
	}
	return o.mine, true
}

// own records that the checkpoint is this version's to move.
func (w *worker) own(t domain.TenantID, at checkpoint) {
	if w.fold() != nil && at.locked {
		w.pending.change(t, func(s *tenantState) { s.owner = owner{true, time.Now()} })
	}
}

// leaveTenant leaves a tenant to the version whose fold fills its rows, or to a build. Like
// leftToNewer it logs that once for each place, and counts no failure.
func (w *worker) leaveTenant(t domain.TenantID, at checkpoint) {
	mine := *w.fold()
	if w.foreign(at) {
		w.pending.change(t, func(s *tenantState) { s.owner = owner{false, time.Now()} })
	}
	if w.feed.cfg.Leave != nil && at.foldVersion < mine {
		w.feed.cfg.Leave(t, w.subscription) // asks for the build
	}
	if !w.firstReport(t, -int64(at.foldVersion)-1) { // no seq
		return
	}
	if at.foldVersion > mine {
		w.metrics.unknown.Inc()
		w.feed.log.Warn("left to a newer version, whose fold fills the rows", "subscription", w.subscription, "tenant", t,
			"fold_version", at.foldVersion, "own", mine)
		return
	}
	w.feed.log.Debug("left to a build", "subscription", w.subscription, "tenant", t,
		"fold_version", at.foldVersion, "own", mine, "events", at.missing)
}
