package feed

import (
	"sync"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Bounds of the recent-events cache, in bytes of memory. recentEvents bounds a tenant's run
// of small ones.
const (
	recentBytes       = 16 << 20
	recentBytesTenant = 1 << 20
	recentEvents      = 1_024
)

// recent is the recent-events cache: the newest events that this replica has appended. The
// subscriptions here take them from it instead of reading and decoding each of them again.
//
// Rows of events never change, so an entry becomes stale only if Postgres loses events. A
// page compares the end of a run with the log (verify). Events that aren't in the
// cache are read from the log. The cache has one run without gaps of each tenant; if another
// replica appends in between, a new run begins.
type recent struct {
	mu    sync.Mutex
	runs  *simplelru.LRU[domain.TenantID, *recentRun]
	bytes int
}

// recentRun is the end of one tenant's log.
type recentRun struct {
	events []domain.Recorded
	sizes  []int // of each, in bytes
	bytes  int
	newest int64 // the highest seq that was ever put here, even if the run lacks it
}

func newRecent() *recent {
	t := &recent{}
	var err error
	t.runs, err = simplelru.NewLRU(recentBytes, func(_ domain.TenantID, r *recentRun) { t.bytes -= r.bytes })
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	return t
}

// add caches committed events. Calls may come in another order than the logs'.
func (t *recent) add(events []domain.Recorded, sizes []int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, e := range events {
		t.put(e, sizes[i])
	}
	for t.bytes > recentBytes {
		t.runs.RemoveOldest()
	}
}

func (t *recent) put(e domain.Recorded, size int) {
	r, ok := t.runs.Get(e.Tenant)
	if !ok {
		r = &recentRun{}
		t.runs.Add(e.Tenant, r)
	}
	t.bytes -= r.bytes
	if e.Seq != r.newest+1 {
		late := e.Seq <= r.newest
		*r = recentRun{newest: r.newest}
		// Batches that share a log may be added in the other order. The log has events after
		// e, so e must not be taken for its end.
		if late {
			return
		}
	}
	r.newest = e.Seq
	r.events, r.sizes, r.bytes = append(r.events, e), append(r.sizes, size), r.bytes+size
	if r.bytes > recentBytesTenant || len(r.events) > recentEvents {
		r.drop((len(r.events) + 1) / 2)
	}
	t.bytes += r.bytes
}

// forget empties the cache.
func (t *recent) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs.Purge()
}

// last is the newest event of a tenant's run; false if there is none.
func (t *recent) last(tenant domain.TenantID) (e domain.Recorded, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.runs.Get(tenant)
	if !ok || len(r.events) == 0 {
		return e, false
	}
	return r.events[len(r.events)-1], true
}

// verify drops a tenant's run if its event e isn't the one in the log, which has found as
// the command of the event at that seq: nil if there is none.
func (t *recent) verify(e domain.Recorded, found *uuid.UUID) {
	if found != nil && domain.CommandID(*found) == e.Command {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs.Remove(e.Tenant)
}

// drop removes the first n events and frees their memory.
func (r *recentRun) drop(n int) {
	for _, size := range r.sizes[:n] {
		r.bytes -= size
	}
	r.events = append([]domain.Recorded(nil), r.events[n:]...)
	r.sizes = append([]int(nil), r.sizes[n:]...)
}

// after is up to limit of a tenant's events that follow a seq; ok is false if the cache
// doesn't reach back to that seq or lacks it. The events must not be changed.
func (t *recent) after(tenant domain.TenantID, seq int64, limit int) (events []domain.Recorded, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.runs.Get(tenant)
	if !ok || len(r.events) == 0 {
		return nil, false
	}
	first, last := r.events[0].Seq, r.events[len(r.events)-1].Seq
	if seq+1 < first || seq > last {
		return nil, false
	}
	run := r.events[seq+1-first:]
	n := min(limit, len(run))
	return run[:n:n], true
}
