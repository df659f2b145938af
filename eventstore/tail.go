package eventstore

import (
	"sync"

	"docket/domain"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Bounds of the tail, in events: some megabytes.
const (
	tailSize       = 8_192
	tailSizeTenant = 1_024
)

// tail keeps the newest events that this replica has appended, as they were
// appended. The subscriptions here, all of which want them at once, take them from
// it instead of reading and decoding each of them once more.
//
// It is a cache of rows that never change: what isn't in it is read. Of each tenant
// it holds one run without gaps; where another replica appended in between, the run
// begins anew.
type tail struct {
	mu   sync.Mutex
	runs *simplelru.LRU[domain.TenantID, []domain.Recorded]
	size int
}

func newTail() *tail {
	t := &tail{}
	var err error
	t.runs, err = simplelru.NewLRU(tailSize, func(_ domain.TenantID, run []domain.Recorded) { t.size -= len(run) })
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	return t
}

// add takes in events that were committed, in the order of their logs.
func (t *tail) add(events []domain.Recorded) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		run, _ := t.runs.Get(e.Tenant)
		before := len(run)
		if before > 0 && run[before-1].Seq+1 != e.Seq {
			run = nil
		}
		run = append(run, e)
		if len(run) > tailSizeTenant {
			run = run[len(run)-tailSizeTenant/2:]
		}
		t.size += len(run) - before
		t.runs.Add(e.Tenant, run)
	}
	for t.size > tailSize {
		t.runs.RemoveOldest()
	}
}

// after is up to limit of a tenant's events that follow a seq; ok is false where
// the tail can't tell. They must not be changed.
func (t *tail) after(tenant domain.TenantID, seq int64, limit int) (events []domain.Recorded, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	run, _ := t.runs.Get(tenant)
	if len(run) == 0 || seq+1 < run[0].Seq || seq > run[len(run)-1].Seq {
		return nil, false
	}
	run = run[seq+1-run[0].Seq:]
	n := min(limit, len(run))
	return run[:n:n], true
}
