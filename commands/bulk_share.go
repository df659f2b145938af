package commands

import (
	"sync"

	"docket/domain"

	"golang.org/x/sync/semaphore"
)

// bulkShare is how many items of a tenant's bulks may be on their way at once: four times
// what a batch takes of one tenant, and a small part of what may wait for it in the queue.
// So a tenant's own single commands wait for a few batches at most, and its bulks
// wait for each other instead of being refused.
const bulkShare = 128

// bulkShares are the shares of the tenants that have bulks under way.
type bulkShares struct {
	mu  sync.Mutex
	all map[domain.TenantID]*tenantShare
}

type tenantShare struct {
	*semaphore.Weighted
	bulks int
}

func newBulkShares() *bulkShares { return &bulkShares{all: map[domain.TenantID]*tenantShare{}} }

// of is a tenant's share, which hands out turns in the order of the requests. The caller
// must call done.
func (b *bulkShares) of(t domain.TenantID) *semaphore.Weighted {
	b.mu.Lock()
	defer b.mu.Unlock()
	share := b.all[t]
	if share == nil {
		share = &tenantShare{Weighted: semaphore.NewWeighted(bulkShare)}
		b.all[t] = share
	}
	share.bulks++
	return share.Weighted
}

// done ends a bulk of a tenant.
func (b *bulkShares) done(t domain.TenantID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all[t].bulks--; b.all[t].bulks == 0 {
		delete(b.all, t)
	}
}
