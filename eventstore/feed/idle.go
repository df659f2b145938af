package feed

import (
	"time"

	"docket/domain"
)

// checkpointAfter is how long a checkpoint may stay behind events that its
// subscription has no use for.
const checkpointAfter = 250 * time.Millisecond

// skip passes events that the subscription has no use for without a transaction.
// Readers here know of it at once (Positions); the checkpoint follows a little
// later, for many such events together. It is false where there is something to be
// done, or nobody here can tell.
//
// Where all of them are of ignored types the checkpoint is moved without a page
// (passing). Else a page moves it, and brings the events to the handler all the same, but
// those of ignored types: should Handles be wrong about one, it is handled late and not lost.
//
// It is exact without a lock: everything up to known was handled, by whomever, and
// of what follows in the tail, without a gap, nothing is to be done.
func (w *worker) skip(t domain.TenantID) bool {
	// Of the events that another version's fold has no use for we can't tell.
	switch mine, known := w.holds(t); {
	case !known:
		return false
	case !mine:
		return true // nothing to do here, and nothing to say
	}
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
	w.feed.positions.advanced(t, w.subscription, last.Seq)
	if ignored {
		w.feed.idle.add(note{place{t, w.subscription}, passed{known, last.Seq, last.Command}})
	} else if w.pending.fallBehind(t) {
		time.AfterFunc(checkpointAfter, func() { w.pending.catchUp(t) })
	}
	return true
}
