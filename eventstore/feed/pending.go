package feed

import (
	"context"
	"sync"
	"time"

	"docket/domain"
)

// news is the set of tenants whose logs a subscription has yet to look at. It
// is kept in memory and may be lost: the sweep finds what it forgot.
//
// A tenant that is being handled stays out of other workers' hands; marked
// again meanwhile, it comes back when its worker is done.
type pendingTenants struct {
	mu     sync.Mutex
	marked map[domain.TenantID]struct{}
	// queue has the marked ones that nobody handles, in order of marking; and places that
	// a hold made void.
	queue []domain.TenantID
	busy  map[domain.TenantID]struct{}
	// due are those of which more is known than that this replica has appended to
	// them: only a look at the log will do.
	due map[domain.TenantID]struct{}
	// behind are those whose checkpoint was left behind for a while (skip).
	behind map[domain.TenantID]struct{}
	// sick is, of those of which something can't be read, how often that was found.
	failing map[domain.TenantID]int
	signal  chan struct{}
}

func newPendingTenants() *pendingTenants {
	return &pendingTenants{
		marked:  map[domain.TenantID]struct{}{},
		busy:    map[domain.TenantID]struct{}{},
		due:     map[domain.TenantID]struct{}{},
		behind:  map[domain.TenantID]struct{}{},
		failing: map[domain.TenantID]int{},
		signal:  make(chan struct{}, 1),
	}
}

// mark says that a tenant's log may have grown.
func (n *pendingTenants) mark(tenants ...domain.TenantID) { n.put(tenants, true) }

// hint is mark for what this replica has appended, all of which the tail has.
func (n *pendingTenants) hint(tenants ...domain.TenantID) { n.put(tenants, false) }

func (n *pendingTenants) put(tenants []domain.TenantID, due bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range tenants {
		if due {
			n.due[t] = struct{}{}
		}
		if _, ok := n.marked[t]; ok {
			continue
		}
		n.marked[t] = struct{}{}
		if _, ok := n.busy[t]; !ok {
			n.queue = append(n.queue, t)
		}
	}
	n.wake()
}

// next waits for a marked tenant that nobody handles and makes it the caller's,
// who must call done. ok is false when ctx ended.
func (n *pendingTenants) next(ctx context.Context) (t domain.TenantID, due, ok bool) {
	for {
		n.mu.Lock()
		if len(n.queue) > 0 {
			t, n.queue = n.queue[0], n.queue[1:]
			_, marked := n.marked[t]
			if _, held := n.busy[t]; held || !marked {
				n.mu.Unlock()
				continue
			}
			delete(n.marked, t)
			n.busy[t] = struct{}{}
			_, due = n.due[t]
			delete(n.due, t)
			n.wake()
			n.mu.Unlock()
			return t, due, true
		}
		n.mu.Unlock()
		select {
		case <-n.signal:
		case <-ctx.Done():
			return t, false, false
		}
	}
}

// hold makes a tenant the caller's, who must call done; false where somebody handles it.
func (n *pendingTenants) hold(t domain.TenantID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.busy[t]; ok {
		return false
	}
	n.busy[t] = struct{}{}
	return true
}

// done gives a tenant back; again keeps it marked, behind all others.
func (n *pendingTenants) done(t domain.TenantID, again bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.busy, t)
	if again {
		n.marked[t], n.due[t] = struct{}{}, struct{}{}
	}
	if _, ok := n.marked[t]; ok {
		n.queue = append(n.queue, t)
	}
	n.wake()
}

// wake lets one waiter look; it passes the signal on while there is more. The
// caller holds mu.
func (n *pendingTenants) wake() {
	if len(n.queue) == 0 {
		return
	}
	select {
	case n.signal <- struct{}{}:
	default:
	}
}

// take is next and done in one, without waiting; ok is false if none is marked. It is for
// news of which nobody holds a tenant.
func (n *pendingTenants) take() (t domain.TenantID, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) == 0 {
		return t, false
	}
	t, n.queue = n.queue[0], n.queue[1:]
	delete(n.marked, t)
	delete(n.due, t)
	return t, true
}

// fallBehind notes that a tenant's checkpoint is left behind; false if it was
// already. catchUp marks the tenant, so that the checkpoint follows.
func (n *pendingTenants) fallBehind(t domain.TenantID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.behind[t]; ok {
		return false
	}
	n.behind[t] = struct{}{}
	return true
}

func (n *pendingTenants) catchUp(t domain.TenantID) {
	n.mu.Lock()
	delete(n.behind, t)
	n.mu.Unlock()
	n.mark(t)
}

// markFailing notes that something of a tenant can't be read, and says how long it is to be
// left alone.
func (n *pendingTenants) markFailing(t domain.TenantID) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failing[t]++
	return min(troubleMost<<min(n.failing[t]-1, 10), failingMost)
}

// markHealthy notes that all of a tenant could be read.
func (n *pendingTenants) markHealthy(t domain.TenantID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.failing, t)
}
