package projections

import (
	"context"
	"maps"
	"slices"
	"sync"

	"docket/domain"
)

// shares lets so many reads in at once, and of one tenant only some of them, so that no
// tenant's reads keep another's out. Who waits comes in by turns: first the tenant of
// which fewest are inside, and of these the one that was let in longest ago.
type shares struct {
	mu           sync.Mutex
	free, tenant int // how many more may come in; how many of one tenant
	inside       map[domain.TenantID]int
	waiting      []*arrival // in the order in which they came
	turns        int
	turn         map[domain.TenantID]int // when each was let in last, of those inside, and of all while any wait
}

// arrival is one that waits. come is closed when it is inside.
type arrival struct {
	tenant domain.TenantID
	come   chan struct{}
}

func newShares(atOnce, tenant int) *shares {
	return &shares{free: atOnce, tenant: tenant, inside: map[domain.TenantID]int{}, turn: map[domain.TenantID]int{}}
}

// enter waits until a read of the tenant may come in. It ends by leave, unless there is
// an error, which is the context's.
func (t *shares) enter(ctx context.Context, tenant domain.TenantID) error {
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
	if i < 0 { // let in at the same moment
		return nil
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return ctx.Err()
}

// leave makes room for the next.
func (t *shares) leave(tenant domain.TenantID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free++
	if t.inside[tenant]--; t.inside[tenant] == 0 {
		delete(t.inside, tenant)
	}
	t.admit()
}

// admit lets in who may. The caller holds mu.
func (t *shares) admit() {
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

// before reports whether one tenant comes in before another that came before it.
func (t *shares) before(a, b domain.TenantID) bool {
	if t.inside[a] != t.inside[b] {
		return t.inside[a] < t.inside[b]
	}
	return t.turn[a] < t.turn[b]
}
