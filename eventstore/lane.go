package eventstore

import (
	"slices"

	"docket/domain"
)

// maxPerLane is how many Commits of one lane a batch takes at most: one busy
// tenant must not slow the batch for the others in it.
const maxPerLane = 32

// lane holds the Commits that wait for one log. It exists while a Commit waits in
// it or is in flight.
type lane struct {
	home     domain.TenantID
	queue    []*queued
	bytes    int
	inFlight bool
	ready    bool
	// moved are new versions of streams that the last batch wrote: a Commit that
	// expects an older one is refused without a call.
	moved map[streamKey]int
}

// markReady gives a lane its turn, or removes one without Commits. The caller
// holds mu.
func (q *queue) markReady(l *lane) {
	switch {
	case l.inFlight || l.ready:
	case len(l.queue) == 0:
		delete(q.lanes, l.home)
	default:
		l.ready = true
		q.ready = append(q.ready, l)
	}
}

// selectLanes chooses the lanes of the next batch and fills it: one lane that must
// be sent alone, or a share of the others. It returns nil where no lane is ready or
// enough batches are in flight. The caller holds mu.
func (q *queue) selectLanes() *inFlightBatch {
	f := &inFlightBatch{}
	room := 0
	switch {
	case q.inFlightAlone < maxInFlightAlone && len(q.locked) > 0 && slices.ContainsFunc(q.ready, q.startsLocked):
		f.alone, room = true, 1
	case q.inFlight < maxInFlight:
		room = min((len(q.lanes)+maxInFlight-1)/maxInFlight, batchCommits)
	}
	if room == 0 {
		return nil
	}
	rest := q.ready[:0]
	for i, l := range q.ready {
		if len(f.lanes) == room {
			rest = append(rest, q.ready[i:]...)
			break
		}
		if q.startsLocked(l) == f.alone {
			l.inFlight, l.ready = true, false
			f.lanes = append(f.lanes, l)
		} else {
			rest = append(rest, l)
		}
	}
	clear(q.ready[len(rest):])
	q.ready = rest
	if len(f.lanes) == 0 {
		return nil
	}
	if f.alone {
		q.inFlightAlone++
	} else {
		q.inFlight++
	}
	f.batch = newBatch()
	q.fill(f)
	return f
}

// releaseLanes frees the lanes of a batch and its place among those in flight.
// The caller holds mu.
func (q *queue) releaseLanes(f *inFlightBatch) {
	if f.alone {
		q.inFlightAlone--
	} else {
		q.inFlight--
	}
	for _, l := range f.lanes {
		l.inFlight = false
		q.markReady(l)
	}
}

// startsLocked reports whether the first Commit of a lane touches a log that was
// found locked.
func (q *queue) startsLocked(l *lane) bool { return len(q.locked) > 0 && q.touchesLocked(l.queue[0]) }

func (q *queue) touchesLocked(w *queued) bool {
	return len(q.locked) > 0 &&
		slices.ContainsFunc(w.tenants, func(t domain.TenantID) bool { _, locked := q.locked[t]; return locked })
}

// fill takes one Commit of each lane, round by round, until the batch is full or
// no Commit left in the lanes is independent of it. The caller holds mu.
func (q *queue) fill(f *inFlightBatch) {
	next := make([]int, len(f.lanes)) // by lane: the first Commit not tried yet
	more := true
	for round := 0; more && round < maxPerLane && !f.full(); round++ {
		more = false
		for i, l := range f.lanes {
			more = q.pick(f, l, &next[i]) || more
		}
	}
	for _, l := range f.lanes {
		l.queue = slices.DeleteFunc(l.queue, func(w *queued) bool { return w == nil })
		l.moved = nil
	}
}

// pick moves the next Commit of a lane that is independent of the batch into it;
// false if there is none. It drops withdrawn and stale Commits on the way.
func (q *queue) pick(f *inFlightBatch, l *lane, next *int) bool {
	for *next < len(l.queue) {
		at := *next
		w := l.queue[at]
		*next++
		added := false
		switch {
		case w.withdrawn, l.refuseStale(w):
		case q.touchesLocked(w) != f.alone || !f.add(w):
			continue
		default:
			w.dispatched, added = true, true
		}
		l.queue[at] = nil
		q.count(l, -1, -w.size)
		if added {
			return true
		}
	}
	return false
}

// refuseStale refuses a Commit that expects a version which is known to be past.
// A Commit with an idempotency key is marked stale and sent nevertheless, because
// the database may have an answer to replay.
func (l *lane) refuseStale(w *queued) bool {
	w.stale = false
	if len(l.moved) == 0 {
		return false
	}
	for _, k := range w.checks {
		version, ok := l.moved[streamKey{k.Tenant, k.Stream.ID}]
		switch {
		case !ok || version <= k.Version:
		case w.commit.Entry != nil:
			w.stale = true
			return false
		default:
			w.dispatched = true
			w.outcome <- &ConflictError{Tenant: k.Tenant, Stream: k.Stream, Expected: k.Version, Actual: version}
			return true
		}
	}
	return false
}
