package feed

import (
	"time"

	"docket/domain"
)

// checkpointAfter is how long a checkpoint may stay behind events that its
// subscription doesn't handle.
const checkpointAfter = 250 * time.Millisecond

// idle reports whether no page is needed: the subscription handles none of a tenant's new
// events, or the checkpoint isn't this version's to move. It is false where the subscription
// handles one, or where the recent-events cache doesn't have them all.
//
// Without a transaction idle advances Positions at once; the checkpoint follows a little
// later, for many such events together. If all of them are of ignored types, an idle
// advance moves the checkpoint (idleAdvances). Otherwise a page moves it. The page brings
// the handler all events of types that aren't ignored: should Handles be wrong about one,
// it is handled late and not lost.
//
// The result is exact without a lock. Some replica has handled every event up to known. The
// cache has the events after known without a gap, and the subscription handles none of them.
func (w *worker) idle(t domain.TenantID) bool {
	// This version doesn't know which events another version's fold handles.
	switch mine, known := w.holds(t); {
	case !known:
		return false
	case !mine:
		return true // another version moves the checkpoint, and Positions must not advance here
	}
	forgets := w.feed.positions.forgets()
	known, ok := w.feed.positions.at(t, w.subscription)
	if !ok {
		return false
	}
	events, ok := w.feed.recent.after(t, known, recentEvents)
	if !ok {
		return false
	}
	if len(events) == 0 {
		return true
	}
	ignored := true
	for _, e := range events {
		if w.interest.handles(e) {
			return false
		}
		ignored = ignored && w.interest.ignores(e)
	}
	last := events[len(events)-1]
	w.feed.positions.advanced(t, w.subscription, last.Seq, forgets)
	if ignored {
		w.feed.ignore(idleNote{place{t, w.subscription}, idleRange{known, last.Seq, last.Command}})
	} else {
		w.pending.deferCheckpoint(t)
	}
	return true
}
