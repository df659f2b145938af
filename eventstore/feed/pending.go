package feed

import (
	"context"
	"sync"
	"time"

	"docket/domain"
)

// pendingTenants is the set of tenants whose logs a subscription has yet to look at. It
// is kept in memory and may be lost: the sweep marks lost tenants again.
//
// Only one worker handles a tenant at a time. A tenant that is marked meanwhile is queued
// again when its worker is done.
type pendingTenants struct {
	mu     sync.Mutex
	marked map[domain.TenantID]struct{}
	// queue has the marked tenants that no worker handles, in order of marking, and void
	// entries left over from hold.
	queue []domain.TenantID
	busy  map[domain.TenantID]struct{}
	// due are the tenants whose log must be read: they were marked for another reason than
	// this replica's own append.
	due map[domain.TenantID]struct{}
	// deferred are the tenants whose checkpoint stays behind for a while (worker.idle).
	deferred map[domain.TenantID]struct{}
	// failing is, for tenants with unreadable data, how often reading has failed.
	failing map[domain.TenantID]int
	signal  chan struct{}
}

func newPendingTenants() *pendingTenants {
	return &pendingTenants{
		marked:   map[domain.TenantID]struct{}{},
		busy:     map[domain.TenantID]struct{}{},
		due:      map[domain.TenantID]struct{}{},
		deferred: map[domain.TenantID]struct{}{},
		failing:  map[domain.TenantID]int{},
		signal:   make(chan struct{}, 1),
	}
}

// mark makes tenants pending, as their logs may have grown.
func (n *pendingTenants) mark(tenants ...domain.TenantID) { n.put(tenants, true) }

// hint is mark for this replica's own appends, which the recent-events cache has.
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

// next waits for a marked tenant that no worker handles, and hands it to the caller. The
// caller must call done. ok is false when ctx ended.
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

// hold hands a tenant to the caller, who must call done. It is false if a worker handles it.
func (n *pendingTenants) hold(t domain.TenantID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.busy[t]; ok {
		return false
	}
	n.busy[t] = struct{}{}
	return true
}

// done gives a tenant back; again marks it, at the end of the queue.
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

// wake signals one waiting next; each next signals another one while the queue has more.
// The caller holds mu.
func (n *pendingTenants) wake() {
	if len(n.queue) == 0 {
		return
	}
	select {
	case n.signal <- struct{}{}:
	default:
	}
}

// take is next and done in one, without waiting; ok is false if none is marked. Only for a
// set without hold.
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

// deferCheckpoint records that a tenant's checkpoint stays behind for a while; it is false
// if that is recorded already. resumeCheckpoint ends it and marks the tenant, so that a
// page moves the checkpoint.
func (n *pendingTenants) deferCheckpoint(t domain.TenantID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.deferred[t]; ok {
		return false
	}
	n.deferred[t] = struct{}{}
	return true
}

func (n *pendingTenants) resumeCheckpoint(t domain.TenantID) {
	n.mu.Lock()
	delete(n.deferred, t)
	n.mu.Unlock()
	n.mark(t)
}

// markFailing counts a failure to read a tenant's data, and returns the pause before the
// next try.
func (n *pendingTenants) markFailing(t domain.TenantID) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failing[t]++
	return min(troubleMost<<min(n.failing[t]-1, 10), failingMost)
}

// markHealthy resets the failures of a tenant whose data could be read.
func (n *pendingTenants) markHealthy(t domain.TenantID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.failing, t)
}
