package feed

import (
	"context"
	"sync"
	"time"

	"docket/domain"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// restingKept is the most tenants at rest that are remembered for each subscription.
const restingKept = 10_000

// pendingTenants are the tenants of one subscription, and the queue of those whose logs it
// has yet to look at. Only one worker handles a tenant at a time.
type pendingTenants struct {
	mu     sync.Mutex
	active map[domain.TenantID]*tenantState
	// resting are the states that may be forgotten.
	resting *simplelru.LRU[domain.TenantID, *tenantState]
	// queue has the pending tenants in order of their wake-up, and void entries that an idle
	// advance has left behind.
	queue  []domain.TenantID
	signal chan struct{}
}

func newPendingTenants() *pendingTenants {
	resting, err := simplelru.NewLRU[domain.TenantID, *tenantState](restingKept, nil)
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	return &pendingTenants{active: map[domain.TenantID]*tenantState{}, resting: resting, signal: make(chan struct{}, 1)}
}

// of is the state of a tenant. The caller holds mu, and calls keep after a change.
func (n *pendingTenants) of(t domain.TenantID) *tenantState {
	if s, ok := n.active[t]; ok {
		return s
	}
	if s, ok := n.resting.Get(t); ok {
		return s
	}
	return &tenantState{}
}

// keep stores a changed state, and queues a tenant that has become pending. The caller
// holds mu.
func (n *pendingTenants) keep(t domain.TenantID, s *tenantState, before phase) {
	if s.rests() {
		delete(n.active, t)
		n.resting.Add(t, s)
		return
	}
	n.active[t] = s
	n.resting.Remove(t)
	if s.phase == pending && before != pending {
		n.queue = append(n.queue, t)
		n.wakeWorker()
	}
}

// change calls do with the state of a tenant.
func (n *pendingTenants) change(t domain.TenantID, do func(*tenantState)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.of(t)
	before := s.phase
	do(s)
	n.keep(t, s, before)
}

// wake makes tenants pending, as their logs may have grown.
func (n *pendingTenants) wake(tenants ...domain.TenantID) {
	for _, t := range tenants {
		n.change(t, func(s *tenantState) { s.due = true; s.on(wokenUp) })
	}
}

// appended is wake for this replica's own appends, which the recent-events cache has.
func (n *pendingTenants) appended(tenants ...domain.TenantID) {
	for _, t := range tenants {
		n.change(t, func(s *tenantState) { s.on(wokenUp) })
	}
}

// next waits for a pending tenant and hands it to the caller, who must call done. due says
// that the log must be read. ok is false when ctx ended.
func (n *pendingTenants) next(ctx context.Context) (t domain.TenantID, due, ok bool) {
	for {
		if t, due, ok = n.pop(); ok {
			return t, due, true
		}
		select {
		case <-n.signal:
		case <-ctx.Done():
			return t, false, false
		}
	}
}

func (n *pendingTenants) pop() (t domain.TenantID, due, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.queue) > 0 {
		t, n.queue = n.queue[0], n.queue[1:]
		s := n.of(t)
		if s.phase != pending {
			continue
		}
		s.on(taken)
		due, s.due = s.due, false
		n.wakeWorker()
		return t, due, true
	}
	return t, false, false
}

// hold hands a tenant to the caller, who must call done. It is false if the tenant is
// running or backing off.
func (n *pendingTenants) hold(t domain.TenantID) (held bool) {
	n.change(t, func(s *tenantState) {
		if _, held = transitions[s.phase][taken]; held {
			s.wokenAgain = s.phase == pending || s.phase == heldElsewhere // its pause may end meanwhile
			s.on(taken)
		}
	})
	return held
}

// done gives a tenant back. One that is held elsewhere or has failed becomes pending after
// the pause.
func (n *pendingTenants) done(t domain.TenantID, how trigger, pause time.Duration) {
	n.change(t, func(s *tenantState) { s.on(how) })
	if how == foundHeld || how == failed {
		time.AfterFunc(pause, func() { n.change(t, func(s *tenantState) { s.on(pauseIsOver) }) })
	}
}

// wakeWorker signals one waiting next; each next signals another one while the queue has
// more. The caller holds mu.
func (n *pendingTenants) wakeWorker() {
	if len(n.queue) == 0 {
		return
	}
	select {
	case n.signal <- struct{}{}:
	default:
	}
}

// deferCheckpoint leaves a tenant's checkpoint behind for checkpointAfter; then a page moves
// it.
func (n *pendingTenants) deferCheckpoint(t domain.TenantID) {
	n.change(t, func(s *tenantState) {
		if s.deferred {
			return
		}
		s.deferred = true
		time.AfterFunc(checkpointAfter, func() {
			n.change(t, func(s *tenantState) { s.deferred, s.due = false, true; s.on(wokenUp) })
		})
	})
}

// forget drops what is known of the rows and the log. The phases stay.
func (n *pendingTenants) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.resting.Purge()
	for _, s := range n.active {
		s.owner, s.ignored = owner{}, idleRange{}
	}
}
