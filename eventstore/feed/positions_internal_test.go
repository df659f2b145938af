package feed

import (
	"slices"
	"testing"
	"time"

	"docket/domain"
)

// While nothing changes, the looks at a tenant become rare, and all tenants for which
// requests wait share each of them; a change makes them frequent again.
func TestLooksBackOff(t *testing.T) {
	t.Parallel()
	p := NewPositions(nil)
	now := time.Now()
	const tenants = 40
	for i := range tenants {
		p.begin(domain.TenantID{byte(i + 1)}, now)
	}
	changing := domain.TenantID{1}
	// run looks for a second of p's time. Each look finds a change for those of changed.
	run := func(changed ...domain.TenantID) (looks int, of map[domain.TenantID]int) {
		of = map[domain.TenantID]int{}
		for end := now.Add(time.Second); now.Before(end); {
			due, pause, waiting := p.due(now)
			if !waiting {
				t.Fatal("no request waits")
			}
			if len(due) == 0 {
				now = now.Add(pause)
				continue
			}
			looks++
			for _, tenant := range due {
				of[tenant]++
				p.looked(tenant, slices.Contains(changed, tenant), now)
			}
		}
		return looks, of
	}
	looks, of := run()
	for tenant, n := range of {
		if n != 13 { // after 10, 30, 70, 150, 250 … ms, and the first after 5
			t.Errorf("%d looks at tenant %d in the first second, want 13", n, tenant[0])
		}
	}
	if looks != 13 || len(of) != tenants {
		t.Errorf("%d looks at %d tenants in the first second, want 13 at %d", looks, len(of), tenants)
	}
	if _, of = run(changing); of[changing] < 150 || of[domain.TenantID{2}] > 11 {
		t.Errorf("%d looks at a tenant that changes, %d at one that doesn't", of[changing], of[domain.TenantID{2}])
	}
	if looks, of = run(); of[changing] > 14 || looks > 25 {
		t.Errorf("%d looks at a tenant that no longer changes, %d in all", of[changing], looks)
	}

	for i := range lookTenants { // those whose looks are due already stay within one
		p.begin(domain.TenantID{byte(i + 1), 1}, now.Add(-time.Second))
	}
	if due, _, _ := p.due(now.Add(time.Second)); len(due) != lookTenants {
		t.Errorf("a look is at %d tenants, want %d", len(due), lookTenants)
	}
	clear(p.waiting)
	if _, _, waiting := p.due(now); waiting || p.looking {
		t.Error("the looks go on without a request that waits")
	}
}

// What was read before a drop isn't kept after it: the generation may be another, or the log
// have lost events.
func TestDropBeatsReads(t *testing.T) {
	t.Parallel()
	p, at := NewPositions(nil), place{domain.TenantID{1}, "a"}
	forgets := p.forgets()
	p.drop(at.tenant, []string{at.subscription})
	p.completed(at, forgets)
	if p.complete.Contains(at) {
		t.Error("a build counts as complete that was found so before the drop")
	}
	if p.advanced(at.tenant, at.subscription, 5, forgets) {
		t.Error("a position counts that was read before the drop")
	}
	p.completed(at, p.forgets())
	if !p.complete.Contains(at) || !p.advanced(at.tenant, at.subscription, 5, p.forgets()) {
		t.Error("what is read after the drop doesn't count")
	}
}
