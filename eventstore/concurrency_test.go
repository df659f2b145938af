package eventstore_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"

	"github.com/google/go-cmp/cmp"
)

// Many writers on two replicas: to streams of their own, to one that all fight
// over, and to two logs at once in either order.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	const writers, rounds = 12, 12
	f := newFixture(t)
	stores := []*eventstore.Store{f.Store, f.another()}
	tenants := []domain.TenantID{f.Tenant(), f.Tenant()}
	contended := newStream(t)
	var (
		mu     sync.Mutex
		placed = map[domain.TenantID]map[int64]domain.Recorded{tenants[0]: {}, tenants[1]: {}}
		wait   sync.WaitGroup
	)
	keep := func(done eventstore.Appended) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range done.Events {
			placed[e.Tenant][e.Seq] = e
		}
	}
	for n := range writers {
		s, here, there := stores[n%2], tenants[n/2%2], tenants[1-n/2%2]
		own := newStream(t)
		wait.Go(func() {
			for i := range rounds {
				done, err := s.Append(t.Context(), commit(t, part(here, own, 2*i, 2), part(there, own, i, 1)))
				if err != nil {
					t.Error(err)
					return
				}
				keep(done)
				for version := 0; ; {
					done, err := s.Append(t.Context(), commit(t, part(here, contended, version, 1)))
					var conflict *eventstore.ConflictError
					if errors.As(err, &conflict) {
						version = conflict.Actual
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					keep(done)
					break
				}
			}
		})
	}
	wait.Wait()
	for _, tenant := range tenants {
		log := f.WantsOrderly(tenant)
		if want := 1 + writers/2*rounds*(2+1+1); len(log) != want {
			t.Errorf("the log has %d events, want %d", len(log), want)
		}
		for _, e := range log[1:] {
			if d := cmp.Diff(e, placed[tenant][e.Seq]); d != "" {
				t.Errorf("seq %d: -log +returned by Append:\n%s", e.Seq, d)
			}
		}
	}
}

// Commits over the same two logs, named in opposite orders: whatever locks they
// take, none is a deadlock's victim.
func TestTwoLogCommitsNeverDeadlock(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	stores := []*eventstore.Store{f.Store, f.another()}
	one, two := f.Tenant(), f.Tenant()
	var wait sync.WaitGroup
	for n := range 16 {
		first, second := one, two
		if n%2 == 1 {
			first, second = two, one
		}
		wait.Go(func() {
			for range 25 {
				_, err := stores[n/2%2].Append(t.Context(), commit(t, part(first, newStream(t), 0, 1), part(second, newStream(t), 0, 1)))
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	f.WantsOrderly(one)
	f.WantsOrderly(two)
}

// What was acknowledged before another append was sent has a lower seq.
func TestSeqFollowsRealTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	stores := []*eventstore.Store{f.Store, f.another()}
	tenant := f.Tenant()
	var acknowledged atomic.Int64
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Go(func() {
			for range 40 {
				before := acknowledged.Load()
				done, err := stores[n%2].Append(t.Context(), commit(t, part(tenant, newStream(t), 0, 1)))
				if err != nil {
					t.Error(err)
					return
				}
				seq := done.Seq(tenant)
				if seq <= before {
					t.Errorf("got seq %d after %d was acknowledged", seq, before)
				}
				for old := acknowledged.Load(); old < seq && !acknowledged.CompareAndSwap(old, seq); old = acknowledged.Load() {
				}
			}
		})
	}
	wait.Wait()
}

// A clock that goes backwards doesn't turn time around: the next event follows
// the last by a microsecond.
func TestTimeNeverGoesBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	f.Raw(tenanttest.RawEvent{Tenant: tenant, Seq: 2, Stream: stream, Version: 1, EventType: "task.updated", Ahead: time.Hour})
	f.Append(f.Store, commit(t, part(tenant, stream, 1, 3)))
	log := f.WantsOrderly(tenant)
	for i := 2; i < len(log); i++ {
		if gap := log[i].At.Sub(log[i-1].At); gap.Microseconds() != 1 {
			t.Errorf("seq %d follows after %s", log[i].Seq, gap)
		}
	}
}
