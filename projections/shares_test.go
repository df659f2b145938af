package projections

import (
	"context"
	"slices"
	"testing"

	"docket/domain"

	"pgregory.net/rapid"
)

// Never are more inside than may be, of all and of a tenant; nobody waits who could come
// in; and among those who wait one comes in of whose tenant fewest are inside, and of
// these the first to come.
func TestShares(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		atOnce, share := rapid.IntRange(1, 4).Draw(r, "at once"), rapid.IntRange(1, 3).Draw(r, "of one tenant")
		s := newShares(atOnce, share)
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
		admit := func() {
			for len(inside) < atOnce {
				next := -1
				for i, w := range waiting {
					if count(w) < share && (next < 0 || count(w) < count(waiting[next])) {
						next = i
					}
				}
				if next < 0 {
					return
				}
				inside = append(inside, waiting[next])
				waiting = slices.Delete(waiting, next, next+1)
			}
		}
		given, stop := context.WithCancel(context.Background())
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
					s.leave(inside[i])
					inside = slices.Delete(inside, i, i+1)
					admit()
				}
			case 2: // one comes who waits for nothing
				who := tenant.Draw(r, "gives up")
				room := len(inside) < atOnce && count(who) < share
				if err := s.enter(given, who); err == nil {
					if !room {
						r.Fatal("it came in where there was no room")
					}
					s.leave(who)
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
