package projections

import (
	"context"
	"maps"
	"slices"
	"testing"

	"docket/domain"

	"pgregory.net/rapid"
)

// The semaphore never admits more reads than its limits, of all and of a tenant, and no
// read waits while it has room. The next read is one of the tenant with the fewest
// running, of these one whose tenant was admitted longest ago, and of these the first.
func TestFairSemaphore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		atOnce, share := rapid.IntRange(1, 4).Draw(r, "at once"), rapid.IntRange(1, 3).Draw(r, "of one tenant")
		s := newFairSemaphore(atOnce, share)
		tenant := rapid.Custom(func(r *rapid.T) domain.TenantID { return domain.TenantID{byte(rapid.IntRange(1, 3).Draw(r, "tenant"))} })
		var inside, waiting []domain.TenantID // what we expect, the waiting in order
		count := func(t domain.TenantID) (n int) {
			for _, i := range inside {
				if i == t {
					n++
				}
			}
			return n
		}
		last, turns := map[domain.TenantID]int{}, 0
		before := func(a, b domain.TenantID) bool {
			return count(a) < count(b) || count(a) == count(b) && last[a] < last[b]
		}
		admit := func() {
			for len(inside) < atOnce {
				next := -1
				for i, w := range waiting {
					if count(w) < share && (next < 0 || before(w, waiting[next])) {
						next = i
					}
				}
				if next < 0 {
					break
				}
				inside = append(inside, waiting[next])
				turns++
				last[waiting[next]] = turns
				waiting = slices.Delete(waiting, next, next+1)
			}
			if len(waiting) == 0 {
				maps.DeleteFunc(last, func(who domain.TenantID, _ int) bool { return count(who) == 0 })
			}
		}
		cancelled, stop := context.WithCancel(context.Background())
		stop()
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			switch rapid.IntRange(0, 2).Draw(r, "step") {
			case 0: // one comes, and waits if it must
				w := &arrival{tenant.Draw(r, "comes"), make(chan struct{})}
				s.waiting = append(s.waiting, w)
				s.admit()
				waiting = append(waiting, w.tenant)
				admit()
			case 1:
				if len(inside) > 0 {
					i := rapid.IntRange(0, len(inside)-1).Draw(r, "leaves")
					s.release(inside[i])
					inside = slices.Delete(inside, i, i+1)
					admit()
				}
			case 2: // a read with a cancelled context
				who := tenant.Draw(r, "cancelled")
				room := len(inside) < atOnce && count(who) < share
				if err := s.acquire(cancelled, who); err == nil {
					if !room {
						r.Fatal("it came in where there was no room")
					}
					turns++
					last[who] = turns
					admit()
					s.release(who)
				}
			}
			var waits []domain.TenantID
			for _, w := range s.waiting {
				waits = append(waits, w.tenant)
			}
			if !slices.Equal(waits, waiting) || s.free != atOnce-len(inside) {
				r.Fatalf("%v wait and %d have room, want %v and %d", waits, s.free, waiting, atOnce-len(inside))
			}
			for who, n := range s.inside {
				if n != count(who) || n == 0 || n > share {
					r.Fatalf("%d of %s are inside, want %d", n, who, count(who))
				}
			}
		}
	})
}

// The last read doesn't wait for all earlier reads of busy tenants.
func TestFairSemaphoreOfManyBusy(t *testing.T) {
	t.Parallel()
	s := newFairSemaphore(2, 1)
	come := func(tenant byte) *arrival {
		w := &arrival{domain.TenantID{tenant}, make(chan struct{})}
		s.waiting = append(s.waiting, w)
		s.admit()
		return w
	}
	for range 50 {
		for busy := range byte(3) {
			come(busy)
		}
	}
	late := come(9)
	for n := range 4 {
		select {
		case <-late.come:
			return
		default:
		}
		for who := range s.inside {
			s.release(who)
			break
		}
		if n == 3 {
			t.Fatal("it waits for more than one of each busy tenant")
		}
	}
}
