package eventstore

import (
	"slices"
	"sync"
	"time"

	"docket/domain"
)

// Bounds of the queue, in Commits and in bytes of their events. A tenant's share
// keeps one that floods from filling the whole.
const (
	queueSize        = 10_000
	queueSizeTenant  = 2_000
	queueBytes       = 32 << 20
	queueBytesTenant = 8 << 20
)

// flights is how many batches are under way at once: while one waits for the disk
// another keeps Postgres busy. flightsAlone is how many more may carry one tenant
// alone whose log was found locked: they mostly wait.
const (
	flights      = 2
	flightsAlone = 4
)

// flightTenant is how many Commits of one line a flight takes at most: one that
// floods must not make the flight long for those that share it.
const flightTenant = 32

// waiting is a Commit on its way through the queue.
type waiting struct {
	*encoded
	answer  chan error // gets the outcome, once; room for it
	entered time.Time
	taken   bool // in a batch: its outcome will be known
	gone    bool // its caller has left
	stale   bool // it can only be refused, or was answered before

	firstCheck, firstClaim int // position of its first check and claim in the arguments, from 0
}

// queue holds the Commits that wait, in one line per log, and hands out batches:
//
//	enter ─▶ line of tenant A ─┐
//	enter ─▶ line of tenant B ─┼─▶ take: a share of the lines, round by round one
//	enter ─▶ line of tenant C ─┘   Commit of each ─▶ batch ─▶ flight ─▶ land
//
// A line is in one flight at a time, as two batches with the same tenant would
// only wait for each other's lock. There is no timer: what comes while the
// flights are under way is the next batch. No goroutine stays where nothing waits.
type queue struct {
	mu     sync.Mutex
	lines  map[domain.TenantID]*line
	ready  []*line // those that wait and aren't flying, in the order of their turn
	size   int     // Commits in all lines
	bytes  int     // of their events
	flying int     // flights under way
	alone  int     // and those that carry one tenant alone
	// locked are the logs that were found locked. Until a flight that touches one of
	// them succeeds, what touches it goes alone, so that nothing else waits for it.
	locked map[domain.TenantID]struct{}
}

// line is one log's. It exists while a Commit waits in it or is under way.
type line struct {
	home   domain.TenantID
	queue  []*waiting
	bytes  int
	flying bool
	ready  bool
	// moved are versions that streams are known to have now: a Commit that expects
	// another is refused without a call.
	moved map[streamKey]int
}

// flight is a batch and the lines whose turn it is.
type flight struct {
	*batch
	lines []*line
	alone bool
}

// landing is what a flight has found out.
type landing struct {
	moved  map[streamKey]int
	locked []domain.TenantID // logs that it couldn't lock: its Commits wait again
	failed bool              // alone, and its log stayed locked
}

func newQueue() *queue {
	return &queue{lines: map[domain.TenantID]*line{}, locked: map[domain.TenantID]struct{}{}}
}

// enter puts a Commit into its line. f, if not nil, is a flight that can start
// now and that the caller must carry.
func (q *queue) enter(w *waiting) (f *flight, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	home := w.home()
	l, ok := q.lines[home]
	if !ok {
		l = &line{home: home}
	}
	if q.size >= queueSize || q.bytes+w.size > queueBytes ||
		len(l.queue) >= queueSizeTenant || l.bytes+w.size > queueBytesTenant {
		return nil, ErrOverloaded
	}
	q.lines[home] = l
	l.queue = append(l.queue, w)
	q.grow(l, 1, w.size)
	q.queueUp(l)
	return q.take(), nil
}

// grow counts what came into a line, or left it.
func (q *queue) grow(l *line, commits, bytes int) {
	q.size += commits
	q.bytes += bytes
	l.bytes += bytes
}

// leave takes a Commit out again whose caller has lost patience; false if it is
// under way already.
func (q *queue) leave(w *waiting) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.taken {
		return false
	}
	w.gone = true
	return true
}

// land ends a flight.
func (q *queue) land(f *flight, found landing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, t := range found.locked {
		q.locked[t] = struct{}{}
	}
	if f.alone && !found.failed {
		for t := range f.tenants {
			delete(q.locked, t)
		}
	}
	for _, l := range f.lines {
		l.moved = found.moved
	}
	q.disband(f)
}

// next is a flight that can start now and that the caller must carry; nil if there is none.
func (q *queue) next() *flight {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.take()
}

// again puts Commits of a flight back to the head of their lines: they weren't written.
func (q *queue) again(f *flight, commits []*waiting) {
	q.mu.Lock()
	defer q.mu.Unlock()
	back := map[domain.TenantID][]*waiting{}
	for _, w := range commits {
		w.taken, w.stale = false, false
		back[w.home()] = append(back[w.home()], w)
	}
	for _, l := range f.lines {
		l.queue = append(back[l.home], l.queue...)
		for _, w := range back[l.home] {
			q.grow(l, 1, w.size)
		}
	}
}

// queueUp makes a line wait for its turn, or forgets one in which nobody waits.
// The caller holds mu.
func (q *queue) queueUp(l *line) {
	switch {
	case l.flying || l.ready:
	case len(l.queue) == 0:
		delete(q.lines, l.home)
	default:
		l.ready = true
		q.ready = append(q.ready, l)
	}
}

// take makes the next flight, or nil where nothing waits or enough are under
// way. The caller holds mu.
func (q *queue) take() *flight {
	for {
		f := q.board()
		if f == nil || len(f.commits) > 0 {
			return f
		}
		q.disband(f) // all in its lines had left, or were refused already
	}
}

// board chooses the lines of a flight and fills its batch: one line that must go
// alone, or a share of the others. The caller holds mu.
func (q *queue) board() *flight {
	f := &flight{batch: newBatch()}
	room := 0
	switch {
	case q.alone < flightsAlone && len(q.locked) > 0 && slices.ContainsFunc(q.ready, q.stuck):
		f.alone, room = true, 1
	case q.flying < flights:
		room = min((len(q.lines)+flights-1)/flights, batchCommits)
	}
	if room == 0 {
		return nil
	}
	rest := q.ready[:0]
	for i, l := range q.ready {
		if len(f.lines) == room {
			rest = append(rest, q.ready[i:]...)
			break
		}
		if q.stuck(l) == f.alone {
			l.flying, l.ready = true, false
			f.lines = append(f.lines, l)
		} else {
			rest = append(rest, l)
		}
	}
	clear(q.ready[len(rest):])
	q.ready = rest
	if len(f.lines) == 0 {
		return nil
	}
	if f.alone {
		q.alone++
	} else {
		q.flying++
	}
	q.fill(f)
	return f
}

// stuck reports whether the first in a line touches a log that was found locked.
func (q *queue) stuck(l *line) bool { return len(q.locked) > 0 && q.touchesLocked(l.queue[0]) }

func (q *queue) touchesLocked(w *waiting) bool {
	return slices.ContainsFunc(w.tenants, func(t domain.TenantID) bool { _, locked := q.locked[t]; return locked })
}

// disband gives a flight's lines and its place back. The caller holds mu.
func (q *queue) disband(f *flight) {
	if f.alone {
		q.alone--
	} else {
		q.flying--
	}
	for _, l := range f.lines {
		l.flying = false
		q.queueUp(l)
	}
}

// fill takes one Commit of each line, round by round, until the batch is full or
// the lines have no more that may go with those in it. The caller holds mu.
func (q *queue) fill(f *flight) {
	looks := make([]int, len(f.lines)) // how far each line was looked through
	more := true
	for round := 0; more && round < flightTenant && !f.full(); round++ {
		more = false
		for i, l := range f.lines {
			more = q.pick(f, l, &looks[i]) || more
		}
	}
	for _, l := range f.lines {
		l.queue = slices.DeleteFunc(l.queue, func(w *waiting) bool { return w == nil })
		l.moved = nil
	}
}

// pick takes the next Commit of a line, from a place on, that may go with the
// flight; false if there is none. On the way it drops those that needn't go at all.
func (q *queue) pick(f *flight, l *line, look *int) bool {
	for *look < len(l.queue) {
		at := *look
		w := l.queue[at]
		*look++
		goes := false
		switch {
		case w.gone, l.refuses(w):
		case q.touchesLocked(w) != f.alone || !f.add(w):
			continue
		default:
			w.taken, goes = true, true
		}
		l.queue[at] = nil
		q.grow(l, -1, -w.size)
		if goes {
			return true
		}
	}
	return false
}

// refuses answers a Commit that expects a version which is known to be past. One
// that comes with a key only the database can answer, which may know it: it goes,
// and is stale.
func (l *line) refuses(w *waiting) bool {
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
			w.taken = true
			w.answer <- &ConflictError{Tenant: k.Tenant, Stream: k.Stream, Expected: k.Version, Actual: version}
			return true
		}
	}
	return false
}
