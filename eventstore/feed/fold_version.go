package feed

import (
	"context"
	"fmt"
	"slices"
	"time"

	"docket/domain"
)

// LongLog is how many events a log has at least that a subscription leaves to a build,
// where it would have to begin with it.
const LongLog = 2_000

// heldFor is how long it is believed whose a checkpoint is. A flip is told of at once;
// this is for the time in which nobody can be told.
const heldFor = 5 * time.Second

// hold is whose a checkpoint was when it was last looked at.
type hold struct {
	mine bool
	at   time.Time
}

// sinceSQL notes since when there are subscriptions ($1), of those that weren't there.
const sinceSQL = `insert into subscriptions (name) select unnest($1::text[]) on conflict do nothing`

// Begin notes which subscriptions with folds there are. Logs that begin after it are
// followed by them from the first event on; older ones have to be folded to their end
// before anyone may read what is made of them (Positions.BuildComplete). Call it before
// Subscribe; without it all logs count as younger.
func (f *Feed) Begin(ctx context.Context) error {
	names := []string{}
	for name, i := range f.cfg.Interests {
		if i.FoldVersion != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names) // as other replicas do, so that none waits for another in a circle
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

// flipped forgets what is known of these tenants: other folds may fill their rows.
func (f *Feed) switched(tenants []domain.TenantID) {
	f.mu.Lock()
	var names []string
	for name := range f.subs {
		names = append(names, name)
	}
	f.mu.Unlock()
	for _, t := range tenants {
		for _, name := range names {
			f.held.Remove(place{t, name})
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

// leaves reports whether a log is left to somebody who builds.
func (w *worker) leaves(t domain.TenantID, at checkpoint) bool {
	return w.feed.cfg.Leave != nil && w.fold() != nil && at.missing >= LongLog && !w.foreign(at) && w.feed.cfg.Leave(t, w.subscription)
}

// holds is whose the tenant's checkpoint is; known is false where that has to be looked up.
func (w *worker) holds(t domain.TenantID) (mine, known bool) {
	if w.fold() == nil {
		return true, true
	}
	h, ok := w.feed.held.Get(place{t, w.subscription})
	if !ok || time.Since(h.at) > heldFor {
		return false, false
	}
	return h.mine, true
}

// own notes that the checkpoint is for this version to move.
func (w *worker) own(t domain.TenantID, at checkpoint) {
	if w.fold() != nil && at.locked {
		w.feed.held.Add(place{t, w.subscription}, hold{true, time.Now()})
	}
}

// leave leaves a tenant to whoever has the fold that fills its rows, or to a build. Like
// leftToNewer it says so once for each place where it happens, and counts no failure.
func (w *worker) leave(t domain.TenantID, at checkpoint) {
	key, mine := place{t, w.subscription}, *w.fold()
	if w.foreign(at) {
		w.feed.held.Add(key, hold{false, time.Now()})
	}
	if w.feed.cfg.Leave != nil && at.foldVersion < mine {
		w.feed.cfg.Leave(t, w.subscription) // so that it comes soon
	}
	said := -int64(at.foldVersion) - 1 // no seq
	if last, ok := w.feed.unknown.Swap(key, said); ok && last.(int64) == said {
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
