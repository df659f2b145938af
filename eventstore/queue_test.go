package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// Every Commit that waits is sent once, and the Commits of a batch are independent of
// each other.
func TestBatchesAreIndependent(t *testing.T) {
	t.Parallel()
	ids := make([]uuid.UUID, 8)
	for i := range ids {
		ids[i] = uuid.UUID(tenanttest.NewID[domain.TaskID](t))
	}
	tenants := []domain.TenantID{domain.Platform, domain.TenantID(ids[0]), domain.TenantID(ids[1]), domain.TenantID(ids[2])}
	rapid.Check(t, func(r *rapid.T) {
		stream := func() domain.StreamID {
			return domain.StreamID{Type: domain.TaskStream, ID: rapid.SampledFrom(ids).Draw(r, "stream")}
		}
		commits := make([]eventstore.Commit, rapid.IntRange(1, 40).Draw(r, "commits"))
		for i := range commits {
			of := []domain.TenantID{rapid.SampledFrom(tenants).Draw(r, "tenant")}
			if rapid.Bool().Draw(r, "both") {
				of = append(of, domain.Platform)
			}
			tenant := func() domain.TenantID { return rapid.SampledFrom(of).Draw(r, "of") }
			c := commit(t, part(tenant(), stream(), 0, 1))
			if rapid.Bool().Draw(r, "guarded") {
				c.Guards = append(c.Guards, eventstore.Guard{Tenant: tenant(), Stream: stream()})
			}
			if rapid.Bool().Draw(r, "claims") {
				c.Claims = append(c.Claims, eventstore.Claim{Tenant: tenant(), Kind: "k", Value: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(r, "claim")})
			}
			if rapid.Bool().Draw(r, "keyed") {
				c.Entry = entry(tenant(), rapid.SampledFrom([]string{"1", "2", "3"}).Draw(r, "key"))
			}
			if rapid.IntRange(0, 9).Draw(r, "new") == 0 {
				c.NewTenants = []domain.TenantID{c.Parts[0].Tenant}
			}
			if i > 0 && rapid.IntRange(0, 9).Draw(r, "again") == 0 {
				c.Command = commits[i-1].Command
			}
			commits[i] = c
		}
		batches, err := eventstore.Batches(commits, false)
		if err != nil {
			r.Fatal(err)
		}
		seen := map[int]int{}
		for _, batch := range batches {
			for i, a := range batch {
				seen[a]++
				for _, b := range batch[:i] {
					if dependent(commits[a], commits[b]) {
						r.Fatalf("one batch has\n%+v\n%+v", commits[a], commits[b])
					}
				}
			}
		}
		for i := range commits {
			if seen[i] != 1 {
				r.Fatalf("Commit %d is sent %d times", i, seen[i])
			}
		}
	})
}

// dependent is the rule in its simplest form.
func dependent(a, b eventstore.Commit) bool {
	touches := func(c eventstore.Commit, t domain.TenantID) bool {
		return c.Entry != nil && c.Entry.Tenant == t ||
			slices.ContainsFunc(c.Parts, func(p eventstore.Part) bool { return p.Tenant == t }) ||
			slices.ContainsFunc(c.Guards, func(g eventstore.Guard) bool { return g.Tenant == t }) ||
			slices.ContainsFunc(c.Claims, func(k eventstore.Claim) bool { return k.Tenant == t })
	}
	one := func(a, b eventstore.Commit) bool {
		for _, p := range a.Parts {
			for _, q := range b.Parts {
				if p.Tenant == q.Tenant && p.Stream == q.Stream {
					return true
				}
			}
			for _, g := range b.Guards {
				if p.Tenant == g.Tenant && p.Stream == g.Stream {
					return true
				}
			}
		}
		for _, k := range a.Claims {
			for _, l := range b.Claims {
				if k.Tenant == l.Tenant && k.Kind == l.Kind && k.Value == l.Value {
					return true
				}
			}
		}
		for _, t := range a.NewTenants {
			if touches(b, t) {
				return true
			}
		}
		return a.Entry != nil && b.Entry != nil && a.Entry.Tenant == b.Entry.Tenant && a.Entry.Key == b.Entry.Key
	}
	return one(a, b) || one(b, a) || a.Command == b.Command
}

// However many Commits of one tenant wait, those of other tenants are in the next few
// batches.
func TestBusyTenantDelaysNoOther(t *testing.T) {
	t.Parallel()
	busy := tenanttest.NewID[domain.TenantID](t)
	var commits []eventstore.Commit
	for range 1500 {
		commits = append(commits, commit(t, part(busy, newStream(t), 0, 1)))
	}
	const others = 9
	for range others {
		commits = append(commits, commit(t, part(tenanttest.NewID[domain.TenantID](t), newStream(t), 0, 1)))
	}
	batches, err := eventstore.Batches(commits, false)
	if err != nil {
		t.Fatal(err)
	}
	const rounds = eventstore.MaxInFlight + 2 // a batch takes a share of the lanes
	soon := slices.Concat(batches[:rounds]...)
	for i := range others {
		if !slices.Contains(soon, 1500+i) {
			t.Errorf("another tenant's Commit isn't in the first %d batches", rounds)
		}
	}
	for _, b := range batches {
		if len(b) > eventstore.BatchCommits {
			t.Errorf("a batch has %d Commits", len(b))
		}
	}
}

// A tenant whose share of the queue is full gets ErrOverloaded at once; others append.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	full, other := f.Tenant(), f.Tenant()
	lock := f.lock(full)
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	overloaded := make(chan error, 1)
	append := func() {
		_, err := f.Store.Append(ctx, commit(t, part(full, newStream(t), 0, 1)))
		if errors.Is(err, eventstore.ErrOverloaded) {
			select {
			case overloaded <- err:
			default:
			}
		}
	}
	for range eventstore.QueueSizeTenant + 200 {
		waiting.Go(append)
	}
	if err := <-overloaded; !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("got %v, which isn't unavailable", err)
	}
	f.Grow(f.Store, other, 5)
	cancel()
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
	// Commits whose callers are gone may fill the queue a while longer.
	if err := f.AppendAtLast(f.Store, commit(t, part(full, newStream(t), 0, 1))); err != nil {
		t.Fatal(err)
	}
	f.WantsOrderly(full)
}

// A Commit that Postgres rejects fails alone; the others of its batch are written.
func TestPoisonedCommitFailsAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	admin := tenanttest.Session(t, f.DB.EngineURL)
	lock := f.lock(tenant) // so that they wait in the queue
	var waiting sync.WaitGroup
	for i := range 30 {
		c := commit(t, part(tenant, newStream(t), 0, 1))
		poisoned := i%10 == 7
		if poisoned {
			c.Claims = []eventstore.Claim{{Tenant: tenant, Kind: eventstore.ClaimSlug, Value: fmt.Sprint("no text: \x00", i)}}
		}
		waiting.Go(func() {
			_, err := f.Store.Append(t.Context(), c)
			if poisoned != (err != nil) {
				t.Errorf("poisoned %t: got %v", poisoned, err)
			}
			if errors.Is(err, eventstore.ErrOutcomeUnknown) || errors.Is(err, eventstore.ErrUnavailable) {
				t.Errorf("got %v, which invites another try", err)
			}
		})
	}
	tenanttest.Until(t, admin, `select coalesce(bool_or(wait_event_type = 'Lock'), false) from pg_stat_activity where datname = current_database()`)
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
	if n := len(f.Log(tenant)); n != 1+27 {
		t.Errorf("the log has %d events, want 28", n)
	}
	f.WantsOrderly(tenant)
}

// Of many Commits that expect the same version one is written; the others get a
// conflict with the actual version.
func TestManyAppendsToOneStream(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	stores := []*eventstore.Store{f.Store, f.another()}
	var all sync.WaitGroup
	for round := range 5 {
		written := make(chan struct{}, 64)
		for i := range 64 {
			c := commit(t, part(tenant, stream, round, 1))
			all.Go(func() {
				_, err := stores[i%2].Append(t.Context(), c)
				var conflict *eventstore.ConflictError
				switch {
				case err == nil:
					written <- struct{}{}
				case !errors.As(err, &conflict) || conflict.Actual != round+1 || conflict.Expected != round:
					t.Errorf("got %v", err)
				}
			})
		}
		all.Wait()
		if len(written) != 1 {
			t.Errorf("%d were written at version %d", len(written), round)
		}
	}
	f.WantsOrderly(tenant)
}

// Concurrent writers of one stream that have keys: once the stream has moved, all others
// can only be refused and share a call, which takes 32 Commits of one lane.
func TestKeyedStaleCommitsShareACall(t *testing.T) {
	t.Parallel()
	tenant, stream := tenanttest.NewID[domain.TenantID](t), newStream(t)
	var commits []eventstore.Commit
	for i := range 33 {
		c := commit(t, part(tenant, stream, 0, 1))
		c.Entry = entry(tenant, fmt.Sprint(i))
		commits = append(commits, c)
	}
	batches, err := eventstore.Batches(commits, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(batches) != 2 {
		t.Errorf("%d calls for %d Commits, want 2", len(batches), len(commits))
	}
}
