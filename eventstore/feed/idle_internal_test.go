package feed

import (
	"slices"
	"testing"

	"docket/domain"
)

// A range extends the range of its place that ends where it begins. After a gap, which may
// have events to handle, it replaces that range.
func TestIdleRanges(t *testing.T) {
	t.Parallel()
	at := place{domain.TenantID{1}, "filtering"}
	to := func(after, through int64) idleRange {
		return idleRange{after, through, domain.CommandID{byte(through)}}
	}
	for name, c := range map[string]struct {
		do   func(*idleAdvances)
		want []idleNote
	}{
		"a range continues": {func(p *idleAdvances) {
			p.add(idleNote{at, to(10, 20)})
			p.add(idleNote{at, to(20, 30)})
		}, []idleNote{{at, to(10, 30)}}},
		"a gap": {func(p *idleAdvances) {
			p.add(idleNote{at, to(10, 20)})
			p.add(idleNote{at, to(25, 30)})
		}, []idleNote{{at, to(25, 30)}}},
		"again": {func(p *idleAdvances) { p.again(idleNote{at, to(10, 20)}) }, []idleNote{{at, to(10, 20)}}},
		"again, before what has come since": {func(p *idleAdvances) {
			p.add(idleNote{at, to(20, 30)})
			p.again(idleNote{at, to(10, 20)})
		}, []idleNote{{at, to(10, 30)}}},
		"again, with a gap since": {func(p *idleAdvances) {
			p.add(idleNote{at, to(25, 30)})
			p.again(idleNote{at, to(10, 20)})
		}, []idleNote{{at, to(25, 30)}}},
		"a page has gone past it": {func(p *idleAdvances) {
			p.add(idleNote{at, to(10, 20)})
			p.moved(at, 20)
		}, nil},
		"a page has gone some way": {func(p *idleAdvances) {
			p.add(idleNote{at, to(10, 20)})
			p.moved(at, 19)
		}, []idleNote{{at, to(10, 20)}}},
		"nothing is there": {func(p *idleAdvances) { p.moved(at, 20) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newIdleAdvances()
			c.do(p)
			if got := p.take(); !slices.Equal(got, c.want) {
				t.Errorf("noted is %v, want %v", got, c.want)
			}
			if got := p.take(); len(got) != 0 {
				t.Errorf("noted is still %v", got)
			}
		})
	}
}

// A held tenant goes to no worker. Marks that are set meanwhile aren't lost, and lead to one
// page each.
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
	n.mark(one, two)
	if !n.hold(one) || n.hold(one) {
		t.Error("a tenant that no worker handles is held once")
	}
	if got := next(); got != two {
		t.Errorf("next is %v while 1 is held, want 2", got)
	}
	if n.hold(two) {
		t.Error("one that is handled was held")
	}
	n.mark(one, two, three)
	if got := next(); got != three {
		t.Errorf("next is %v, want 3", got)
	}
	n.done(one, false)
	if got := next(); got != one {
		t.Errorf("next is %v, want 1, which was marked", got)
	}
	n.done(two, false)
	if got := next(); got != two {
		t.Errorf("next is %v, want 2, which was marked meanwhile", got)
	}
	for _, tenant := range []domain.TenantID{one, two, three} {
		n.done(tenant, false)
	}
	// Void places are passed over, whoever is marked after them.
	n.mark(one)
	if !n.hold(one) {
		t.Error("not held")
	}
	n.done(one, false)
	n.mark(two)
	if first, second := next(), next(); first != one || second != two {
		t.Errorf("next are %v and %v, want 1 and 2, once each", first, second)
	}
	if len(n.queue) != 0 || len(n.marked) != 0 {
		t.Errorf("left are %v and %v", n.queue, n.marked)
	}
}
