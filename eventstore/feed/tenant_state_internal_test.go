package feed

import (
	"fmt"
	"testing"
	"time"

	"docket/domain"
)

// The phases and what changes them, as a whole: a cell that isn't named keeps the phase.
func TestTransitions(t *testing.T) {
	t.Parallel()
	phases := []phase{idle, pending, running, heldElsewhere, backingOff, outdated}
	triggers := []trigger{wokenUp, taken, caughtUp, moreIsLeft, foundHeld, failed, foundForeign, pauseIsOver}
	type cell struct {
		from phase
		by   trigger
	}
	moves := map[cell]phase{
		{idle, wokenUp}:              pending,
		{idle, taken}:                running,
		{pending, taken}:             running,
		{running, caughtUp}:          idle,
		{running, moreIsLeft}:        pending,
		{running, foundHeld}:         heldElsewhere,
		{running, failed}:            backingOff,
		{running, foundForeign}:      outdated,
		{heldElsewhere, wokenUp}:     pending,
		{heldElsewhere, taken}:       running,
		{heldElsewhere, pauseIsOver}: pending,
		{backingOff, pauseIsOver}:    pending,
		{outdated, wokenUp}:          pending,
		{outdated, taken}:            running,
	}
	for _, from := range phases {
		for _, by := range triggers {
			want, ok := moves[cell{from, by}]
			if !ok {
				want = from
			}
			s := tenantState{phase: from}
			if s.on(by); s.phase != want {
				t.Errorf("phase %d on trigger %d is %d, want %d", from, by, s.phase, want)
			}
		}
	}
}

// A wake-up during a page or a pause isn't lost: the log is looked at once more.
func TestWakeUpsAreRemembered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		triggers []trigger
		want     phase
		due      bool
	}{
		{[]trigger{wokenUp, caughtUp}, pending, false},
		{[]trigger{wokenUp, moreIsLeft}, pending, true},
		{[]trigger{wokenUp, foundHeld}, pending, true},
		{[]trigger{wokenUp, foundForeign}, pending, true},
		{[]trigger{wokenUp, failed}, backingOff, false},
		{[]trigger{wokenUp, failed, pauseIsOver, taken, caughtUp}, idle, true},
		{[]trigger{failed, wokenUp}, backingOff, false},
		{[]trigger{failed, wokenUp, pauseIsOver, taken, caughtUp}, idle, true},
		{[]trigger{wokenUp, caughtUp, taken, caughtUp}, idle, false},
		{[]trigger{foundHeld, pauseIsOver}, pending, true},
		{[]trigger{foundHeld, wokenUp, pauseIsOver}, pending, false},
	} {
		t.Run(fmt.Sprint(c.triggers), func(t *testing.T) {
			t.Parallel()
			s := tenantState{phase: running}
			for _, by := range c.triggers {
				s.on(by)
			}
			if s.phase != c.want || s.due != c.due {
				t.Errorf("the phase is %d, due %t, want %d, %t", s.phase, s.due, c.want, c.due)
			}
		})
	}
}

// A held tenant goes to no worker. Wake-ups that come meanwhile aren't lost, and lead to
// one page each.
func TestPendingTenantsHold(t *testing.T) {
	t.Parallel()
	one, two, three := domain.TenantID{1}, domain.TenantID{2}, domain.TenantID{3}
	n := newPendingTenants()
	next := func() domain.TenantID {
		t.Helper()
		got, _, ok := n.next(t.Context())
		if !ok {
			t.Fatal("there is nothing")
		}
		return got
	}
	done := func(tenant domain.TenantID) { n.done(tenant, caughtUp, 0) }
	n.wake(one, two)
	if !n.hold(one) || n.hold(one) {
		t.Error("a tenant that no worker handles is held once")
	}
	if got := next(); got != two {
		t.Errorf("next is %v while 1 is held, want 2", got)
	}
	if n.hold(two) {
		t.Error("one that is handled was held")
	}
	n.wake(one, two, three)
	if got := next(); got != three {
		t.Errorf("next is %v, want 3", got)
	}
	done(one)
	if got := next(); got != one {
		t.Errorf("next is %v, want 1, which was woken", got)
	}
	done(two)
	if got := next(); got != two {
		t.Errorf("next is %v, want 2, which was woken meanwhile", got)
	}
	for _, tenant := range []domain.TenantID{one, two, three} {
		done(tenant)
	}
	// Void entries of the queue are left out, whichever tenant is woken after them.
	n.wake(one)
	if !n.hold(one) {
		t.Error("not held")
	}
	done(one)
	n.wake(two)
	if first, second := next(), next(); first != one || second != two {
		t.Errorf("next are %v and %v, want 1 and 2, once each", first, second)
	}
	if len(n.queue) != 0 || len(n.active) != 2 {
		t.Errorf("left are the queue %v and %d active tenants, want none and 2", n.queue, len(n.active))
	}
}

// A hold remembers the wake-up that it takes a tenant from: one in the queue, or one held
// elsewhere whose pause ends during the hold.
func TestHoldRemembersWakeUps(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*pendingTenants, domain.TenantID){
		"pending": func(n *pendingTenants, t domain.TenantID) { n.wake(t) },
		"held elsewhere": func(n *pendingTenants, t domain.TenantID) {
			n.wake(t)
			n.pop()
			n.done(t, foundHeld, time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, tenant := newPendingTenants(), domain.TenantID{1}
			before(n, tenant)
			if !n.hold(tenant) {
				t.Fatal("not held")
			}
			n.change(tenant, func(s *tenantState) { s.on(pauseIsOver) })
			n.done(tenant, caughtUp, 0)
			if got, _, ok := n.pop(); !ok || got != tenant {
				t.Error("the wake-up is lost")
			}
		})
	}
}

// Tenants at rest are remembered up to a number, the others all.
func TestPendingTenantsAreBounded(t *testing.T) {
	t.Parallel()
	n := newPendingTenants()
	tenant := func(i int) domain.TenantID { return domain.TenantID{byte(i), byte(i >> 8), 1} }
	for i := range restingKept + 10 {
		n.change(tenant(i), func(s *tenantState) { s.owner = owner{true, time.Now()} })
	}
	n.wake(tenant(restingKept+10), tenant(5))
	if n.resting.Len() != restingKept || len(n.active) != 2 {
		t.Errorf("%d tenants rest and %d are active, want %d and 2", n.resting.Len(), len(n.active), restingKept)
	}
}
