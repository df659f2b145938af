package eventstore

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"docket/domain"
)

// Bounds of the queue, in Commits and in bytes (encoded.size). The bounds per tenant keep
// one tenant from filling the whole queue. A Commit that is larger than a bound may wait
// alone, because otherwise it would be refused for ever.
const (
	queueSize        = 10_000
	queueSizeTenant  = 2_000
	queueBytes       = 32 << 20
	queueBytesTenant = 8 << 20
)

// maxInFlight is the number of batches in flight: while one waits for the disk
// another keeps Postgres busy. maxInFlightAlone is how many more may be in flight
// with one lane alone whose log was found locked: they mostly wait.
const (
	maxInFlight      = 2
	maxInFlightAlone = 4
)

// queued is a Commit on its way through the queue.
type queued struct {
	*encoded
	outcome    chan error // receives the outcome once; has room for it
	enqueuedAt time.Time
	dispatched bool // in a batch: its outcome will be known
	withdrawn  bool // its caller has stopped waiting
	lastTry    bool // its caller waits for the batch in flight, and no longer
	stale      bool // it can only be refused or replayed

	firstCheck, firstClaim int // position of its first check and claim in the arguments, from 0
}

// queue holds the Commits that wait, in one lane per log, and hands out batches:
//
//	enqueue ─▶ lane of tenant A ─┐
//	enqueue ─▶ lane of tenant B ─┼─▶ selectLanes ─▶ fill: round by round ─▶ dispatch ─▶ complete
//	enqueue ─▶ lane of tenant C ─┘                  one Commit of each
//
// A lane is in one batch at a time, because a second batch with the same tenant
// would only wait for the first one's lock. There is no timer: the Commits that
// arrive while maxInFlight batches are in flight form the next batch. An idle queue
// has no goroutine.
type queue struct {
	mu            sync.Mutex
	lanes         map[domain.TenantID]*lane
	ready         []*lane // lanes with Commits that aren't in flight, in the order of their turn
	size          int     // Commits in all lanes
	bytes         int     // their sizes
	inFlight      int     // batches in flight
	inFlightAlone int     // batches in flight that were sent alone
	// locked are the logs that were found locked, and when. Until a batch that touches
	// one of them succeeds, and no longer than lockedFor, the Commits that touch it are
	// sent alone, so that no other tenant waits for that lock.
	locked map[domain.TenantID]time.Time
}

// inFlightBatch is a batch and the lanes that its Commits come from.
type inFlightBatch struct {
	*batch
	lanes []*lane
	alone bool // sent alone, because of a locked log
}

// completion is what a batch has shown about streams and locks.
type completion struct {
	moved  map[streamKey]int // new versions of the streams it wrote
	locked []domain.TenantID // logs that it couldn't lock
	failed bool              // sent alone, and its log stayed locked
}

func newQueue() *queue {
	return &queue{lanes: map[domain.TenantID]*lane{}, locked: map[domain.TenantID]time.Time{}}
}

// enqueue puts a Commit into its lane. f, if not nil, is a batch that the caller
// must dispatch now.
func (q *queue) enqueue(w *queued) (f *inFlightBatch, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	home := w.home()
	l, ok := q.lanes[home]
	if !ok {
		l = &lane{home: home}
	}
	if full(q.size, q.bytes, w, queueSize, queueBytes) || full(len(l.queue), l.bytes, w, queueSizeTenant, queueBytesTenant) {
		return nil, ErrOverloaded
	}
	q.lanes[home] = l
	l.queue = append(l.queue, w)
	q.count(l, 1, w.size)
	q.markReady(l)
	return q.nextLocked(), nil
}

// full reports whether there is no room for a Commit beside those that wait.
func full(waiting, bytes int, w *queued, most, mostBytes int) bool {
	return waiting >= most || waiting > 0 && bytes+w.size > mostBytes
}

// count adds to the size of a lane and of the queue.
func (q *queue) count(l *lane, commits, bytes int) {
	q.size += commits
	q.bytes += bytes
	l.bytes += bytes
}

// withdraw removes a Commit whose caller stops waiting; false if it is dispatched
// already: its outcome comes with that batch, and requeue doesn't make it wait again.
func (q *queue) withdraw(w *queued) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	w.withdrawn, w.lastTry = !w.dispatched, w.dispatched
	return w.withdrawn
}

// next is a batch that the caller must dispatch now; nil if there is none.
func (q *queue) next() *inFlightBatch {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.nextLocked()
}

// nextLocked is next for a caller that holds mu.
func (q *queue) nextLocked() *inFlightBatch {
	for {
		f := q.selectLanes()
		if f == nil || len(f.commits) > 0 {
			return f
		}
		q.releaseLanes(f) // all Commits in its lanes were withdrawn or refused
	}
}

// complete finishes a batch.
func (q *queue) complete(f *inFlightBatch, done completion) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.noteLocks(f, done, time.Now())
	for _, l := range f.lanes {
		l.moved = done.moved
	}
	q.releaseLanes(f)
}

// lockedFor is how long a log counts as locked after it was last found so. Without an
// end a log that no Commit touches any more, or that never comes into being, would stay.
const lockedFor = 30 * time.Second

// noteLocks notes what a batch has shown about locks. The caller holds mu.
func (q *queue) noteLocks(f *inFlightBatch, done completion, now time.Time) {
	for _, t := range done.locked {
		q.locked[t] = now
	}
	if f.alone {
		for t := range f.tenants {
			if _, locked := q.locked[t]; locked && done.failed {
				q.locked[t] = now
			} else {
				delete(q.locked, t)
			}
		}
	}
	maps.DeleteFunc(q.locked, func(_ domain.TenantID, found time.Time) bool { return now.Sub(found) >= lockedFor })
}

// errLocked is the outcome of a Commit whose caller left while its log was locked.
var errLocked = fmt.Errorf("%w: the log stayed locked until the request's time was over", ErrUnavailable)

// requeue puts Commits of a batch that weren't written back at the head of their lanes. A
// one on its last try gets its outcome instead, because its caller waits for that alone.
func (q *queue) requeue(f *inFlightBatch, commits []*queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	back := map[domain.TenantID][]*queued{}
	for _, w := range commits {
		if w.lastTry {
			w.outcome <- errLocked
			continue
		}
		w.dispatched, w.stale = false, false
		back[w.home()] = append(back[w.home()], w)
	}
	for _, l := range f.lanes {
		l.queue = append(back[l.home], l.queue...)
		for _, w := range back[l.home] {
			q.count(l, 1, w.size)
		}
	}
}

// load is the number of Commits that wait and of batches in flight.
func (q *queue) load() (waiting, inFlight int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size, q.inFlight + q.inFlightAlone
}
