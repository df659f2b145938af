package feed

import (
	"sync"

	"docket/domain"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Bounds of the tail, in bytes of the events' JSON; what is made of it takes a few
// times as much. recentEvents bounds a tenant's run of small ones.
const (
	recentBytes       = 8 << 20
	recentBytesTenant = 1 << 20
	recentEvents      = 1_024
)

// tail keeps the newest events that this replica has appended, as they were
// appended. The subscriptions here, all of which want them at once, take them from
// it instead of reading and decoding each of them once more.
//
// It is a cache of rows that never change: what isn't in it is read. Of each tenant
// it holds one run without gaps; where another replica appended in between, the run
// begins anew.
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
	told   int64 // the highest seq that was put here, also if it is here no more
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

// add takes in what was committed. Calls may come in another order than the logs'.
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
	if e.Seq != r.told+1 {
		late := e.Seq <= r.told
		*r = recentRun{told: r.told}
		// Told in the other order, as flights that share a log may be: the log goes on after
		// e, which must not be taken for its end.
		if late {
			return
		}
	}
	r.told = e.Seq
	r.events, r.sizes, r.bytes = append(r.events, e), append(r.sizes, size), r.bytes+size
	if r.bytes > recentBytesTenant || len(r.events) > recentEvents {
		r.drop((len(r.events) + 1) / 2)
	}
	t.bytes += r.bytes
}

// forget lets go of everything.
func (t *recent) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs.Purge()
}

// drop forgets the first n, and lets go of them.
func (r *recentRun) drop(n int) {
	for _, size := range r.sizes[:n] {
		r.bytes -= size
	}
	r.events = append([]domain.Recorded(nil), r.events[n:]...)
	r.sizes = append([]int(nil), r.sizes[n:]...)
}

// after is up to limit of a tenant's events that follow a seq; ok is false where
// the tail can't tell. They must not be changed.
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
