package eventstore_test

import (
	"slices"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/postgres"
	"docket/internal/tenanttest"
)

// wide is a Store with a connection for every batch that can be in flight.
func (f *fixture) wide() *eventstore.Store {
	f.T.Helper()
	engine, err := postgres.Pool(f.T.Context(), f.DB.EngineURL, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 12})
	if err != nil {
		f.T.Fatal(err)
	}
	f.T.Cleanup(engine.Close)
	return eventstore.New(engine, f.API, nil)
}

type named struct {
	name string
	err  error
}

// enqueue puts a Commit into the queue of a held Store; its outcome goes to answers.
func (f *fixture) enqueue(s *eventstore.Store, answers chan<- named, name string, c eventstore.Commit) {
	f.T.Helper()
	outcome, err := s.Enqueue(c)
	if err != nil {
		f.T.Fatal(err)
	}
	go func() { answers <- named{name, <-outcome} }()
}

// A Commit over the platform's log and one that stays locked must not fail a Commit
// over the platform's log and another.
func TestLockedTenantDoesNotDragThePlatform(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.wide()
	locked, well := f.Tenant(), f.Tenant()
	lock := f.lock(locked)
	defer lock.Rollback(t.Context())
	answers := make(chan named, 2)
	release := s.Hold()
	f.enqueue(s, answers, "locked", commit(t, part(domain.Platform, newStream(t), 0, 1), part(locked, newStream(t), 0, 1)))
	f.enqueue(s, answers, "well", commit(t, part(domain.Platform, newStream(t), 0, 1), part(well, newStream(t), 0, 1)))
	release()
	for range 2 {
		if a := tenanttest.Receive(t, "no outcome has come", answers); a.name == "well" {
			if a.err != nil {
				t.Errorf("a Commit that does not touch the locked log: %v", a.err)
			}
		}
	}
}

// A log that isn't locked must not wait for four locked ones that were in a batch
// with it.
func TestUnlockedLaneDoesNotWaitForLockedOnes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.wide()
	var locked []domain.TenantID
	for range 4 {
		locked = append(locked, f.Tenant())
	}
	unlocked := f.Tenant()
	var others []domain.TenantID
	for range 4 {
		others = append(others, f.Tenant())
	}
	tx, err := f.Engine.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	for _, id := range locked {
		if _, err := tx.Exec(t.Context(), `select from tenant_logs where tenant_id = $1 for no key update`, id.UUID()); err != nil {
			t.Fatal(err)
		}
	}
	answers := make(chan named, 9)
	release := s.Hold()
	for _, id := range locked {
		f.enqueue(s, answers, "locked", commit(t, part(id, newStream(t), 0, 1)))
	}
	f.enqueue(s, answers, "unlocked", commit(t, part(unlocked, newStream(t), 0, 1)))
	for _, id := range others {
		f.enqueue(s, answers, "other", commit(t, part(id, newStream(t), 0, 1)))
	}
	release()
	lockedFirst := 0
	for range 9 {
		switch a := tenanttest.Receive(t, "no outcome has come", answers); a.name {
		case "locked":
			lockedFirst++
		case "unlocked":
			if a.err != nil || lockedFirst > 0 {
				t.Errorf("answered (%v) after %d of the locked ones timed out", a.err, lockedFirst)
			}
		}
	}
}

// A batch that panics is completed, so that the queue continues.
func TestPanickingBatchIsCompleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	s := f.wide()
	s.BreakFollower()
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Append(t.Context(), commit(t, part(tenant, newStream(t), 0, 1)))
	}()
	s.MendFollower()
	if n := s.InFlight(); n != 0 {
		t.Errorf("%d batches stay in flight, so appends to this tenant wait for ever", n)
	}
}

// The follower is notified of a Commit whose answer was lost and that was found in the log.
func TestFoundCommitIsNotified(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, other := f.Tenant(), f.Tenant()
	w := newWire(t, f.DB.EngineURL)
	engine, err := postgres.Pool(t.Context(), w.url, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	var notified notified
	s := eventstore.New(engine, f.API, &notified)
	f.Grow(s, other, 1)
	w.dropOne.Store(true)
	f.Append(s, commit(t, part(tenant, newStream(t), 0, 1)))
	if w.dropOne.Load() {
		t.Fatal("no answer was dropped")
	}
	if !slices.Contains(notified.tenants, other) || !slices.Contains(notified.tenants, tenant) {
		t.Errorf("notified of %v, want the other tenant %s and the one whose answer was lost, %s", notified.tenants, other, tenant)
	}
}

// notified is a follower that notes of which logs it was notified.
type notified struct{ tenants []domain.TenantID }

func (n *notified) Appended(events []domain.Recorded, _ []int) {
	for _, e := range events {
		n.tenants = append(n.tenants, e.Tenant)
	}
}

func (n *notified) Grew(tenants []domain.TenantID) { n.tenants = append(n.tenants, tenants...) }
