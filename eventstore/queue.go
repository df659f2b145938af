package eventstore

import (
	"slices"
	"sync"
	"time"

	"docket/domain"
)

// Bounds of the queue, in Commits. A tenant's share keeps one that floods from
// filling the whole.
const (
	queueSize       = 10_000
	queueSizeTenant = 2_000
)

// flights is how many batches are under way at once: while one waits for the disk
// another keeps Postgres busy. flightsAlone is how many more may carry one tenant
// alone whose log was found locked: they mostly wait.
const (
	flights      = 2
	flightsAlone = 4
)

// waiting is a Commit on its way through the queue.
type waiting struct {
	*encoded
	answer  chan error // gets the outcome, once; room for it
	entered time.Time
	taken   bool // in a batch: its outcome will be known
	gone    bool // its caller has left

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
	flying int     // flights under way
	alone  int     // and those that carry one tenant alone
}

// line is one log's. It exists while a Commit waits in it or is under way.
type line struct {
	home   domain.TenantID
	queue  []*waiting
	flying bool
	ready  bool
	// held says that its log was found locked: until a flight of it succeeds it
	// goes alone, so that no other tenant waits for that lock.
	held bool
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

func newQueue() *queue { return &queue{lines: map[domain.TenantID]*line{}} }

// enter puts a Commit into its line. f, if not nil, is a flight that can start
// now and that the caller must carry.
func (q *queue) enter(w *waiting) (f *flight, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	home := w.home()
	l, ok := q.lines[home]
	if q.size >= queueSize || ok && len(l.queue) >= queueSizeTenant {
		return nil, ErrOverloaded
	}
	if !ok {
		l = &line{home: home}
		q.lines[home] = l
	}
	l.queue = append(l.queue, w)
	q.size++
	q.queueUp(l)
	return q.take(), nil
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

// land ends a flight. moved and held are what its lines know from now on.
func (q *queue) land(f *flight, moved map[streamKey]int, held bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range f.lines {
		l.held, l.moved = held, moved
	}
	q.disband(f)
}

// next is a flight that can start now and that the caller must carry; nil if there is none.
func (q *queue) next() *flight {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.take()
}

// again puts Commits back to the head of their lines: they weren't written, and
// will be in flights of their own.
func (q *queue) again(f *flight) {
	q.mu.Lock()
	defer q.mu.Unlock()
	back := map[domain.TenantID][]*waiting{}
	for _, w := range f.commits {
		w.taken = false
		back[w.home()] = append(back[w.home()], w)
	}
	for _, l := range f.lines {
		l.queue = append(back[l.home], l.queue...)
		q.size += len(back[l.home])
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
	f.alone = q.alone < flightsAlone && slices.ContainsFunc(q.ready, func(l *line) bool { return l.held })
	room := 0
	switch {
	case f.alone:
		room = 1
	case q.flying < flights:
		room = (len(q.lines) + flights - 1) / flights
	}
	rest := q.ready[:0]
	for _, l := range q.ready {
		if l.held == f.alone && len(f.lines) < room {
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
// the lines have no more that is independent of those in it.
func (q *queue) fill(f *flight) {
	looks := make([]int, len(f.lines)) // how far each line was looked through
	for more := true; more && !f.full(); {
		more = false
		for i, l := range f.lines {
			for looks[i] < len(l.queue) {
				w := l.queue[looks[i]]
				looks[i]++
				if w.gone || l.refuses(w) {
					l.queue[looks[i]-1] = nil
				} else if f.add(w) {
					w.taken, more = true, true
					l.queue[looks[i]-1] = nil
					break
				}
			}
		}
	}
	for _, l := range f.lines {
		before := len(l.queue)
		l.queue = slices.DeleteFunc(l.queue, func(w *waiting) bool { return w == nil })
		q.size -= before - len(l.queue)
		l.moved = nil
	}
}

// refuses answers a Commit that expects a version which is known to be past. One
// that comes with a key is left to the database, which may remember its answer.
func (l *line) refuses(w *waiting) bool {
	if len(l.moved) == 0 || w.commit.Entry != nil {
		return false
	}
	for _, k := range w.checks {
		if version, ok := l.moved[streamKey{k.Tenant, k.Stream.ID}]; ok && version > k.Version {
			w.taken = true
			w.answer <- &ConflictError{Tenant: k.Tenant, Stream: k.Stream, Expected: k.Version, Actual: version}
			return true
		}
	}
	return false
}
