package projections

import (
	"context"
	"maps"
	"slices"
	"sync"

	"docket/domain"
)

// fairSemaphore limits how many reads run at once, and how many of one tenant, so that no
// tenant's reads keep another's out. A waiting read gets its place by turns: first a read
// of the tenant with the fewest running, and of these the one that was admitted longest ago.
type fairSemaphore struct {
	mu           sync.Mutex
	free, tenant int // how many more may run; how many of one tenant
	inside       map[domain.TenantID]int
	waiting      []*arrival // in the order in which they came
	turns        int
	turn         map[domain.TenantID]int // when each was admitted last, of those inside, and of all while any wait
}

// arrival is a waiting read. come is closed when the read is admitted.
type arrival struct {
	tenant domain.TenantID
	come   chan struct{}
}

func newFairSemaphore(atOnce, tenant int) *fairSemaphore {
	return &fairSemaphore{free: atOnce, tenant: tenant, inside: map[domain.TenantID]int{}, turn: map[domain.TenantID]int{}}
}

// acquire waits until a read of the tenant may run. The caller calls release afterwards,
// unless there is an error, which is the context's.
func (t *fairSemaphore) acquire(ctx context.Context, tenant domain.TenantID) error {
	w := &arrival{tenant, make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, w)
	t.admit()
	t.mu.Unlock()
	select {
	case <-w.come:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, w)
	if i < 0 { // admitted at the same moment
		return nil
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return ctx.Err()
}

// release makes room for the next read.
func (t *fairSemaphore) release(tenant domain.TenantID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free++
	if t.inside[tenant]--; t.inside[tenant] == 0 {
		delete(t.inside, tenant)
	}
	t.admit()
}

// admit admits the waiting reads that have room. The caller holds mu.
func (t *fairSemaphore) admit() {
	for t.free > 0 {
		next := -1
		for i, w := range t.waiting {
			if t.inside[w.tenant] < t.tenant && (next < 0 || t.before(w.tenant, t.waiting[next].tenant)) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		w := t.waiting[next]
		t.waiting = slices.Delete(t.waiting, next, next+1)
		t.free--
		t.inside[w.tenant]++
		t.turns++
		t.turn[w.tenant] = t.turns
		close(w.come)
	}
	if len(t.waiting) == 0 {
		maps.DeleteFunc(t.turn, func(who domain.TenantID, _ int) bool { return t.inside[who] == 0 })
	}
}

// before reports whether a tenant's read is admitted before another tenant's that has waited longer.
func (t *fairSemaphore) before(a, b domain.TenantID) bool {
	if t.inside[a] != t.inside[b] {
		return t.inside[a] < t.inside[b]
	}
	return t.turn[a] < t.turn[b]
}
