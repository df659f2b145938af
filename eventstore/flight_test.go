package eventstore_test

import (
	"runtime"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/postgres"
)

// wide is a Store with connections enough for all flights that there can be.
func (f *fixture) wide() *eventstore.Store {
	f.t.Helper()
	engine, err := postgres.Pool(f.t.Context(), f.db.EngineURL, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 12})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(engine.Close)
	return eventstore.New(engine, f.api, nil)
}

type named struct {
	name string
	err  error
}

// enter appends in the background, and returns when the Commit waits in the queue.
func (f *fixture) enter(s *eventstore.Store, answers chan<- named, name string, c eventstore.Commit) {
	before := s.Waiting()
	go func() {
		_, err := s.Append(f.t.Context(), c)
		answers <- named{name, err}
	}()
	for s.Waiting() == before {
		runtime.Gosched()
	}
}

// A Commit over the platform's log and a tenant's that stays locked must not cost
// others their Commits over the platform's log and theirs.
func TestLockedTenantDoesNotDragThePlatform(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.wide()
	stuck, well := f.tenant(), f.tenant()
	lock := f.lock(stuck)
	defer lock.Rollback(t.Context())
	answers := make(chan named, 2)
	takeOff := s.Ground()
	f.enter(s, answers, "stuck", commit(t, part(domain.Platform, newStream(t), 0, 1), part(stuck, newStream(t), 0, 1)))
	f.enter(s, answers, "well", commit(t, part(domain.Platform, newStream(t), 0, 1), part(well, newStream(t), 0, 1)))
	takeOff()
	for range 2 {
		if a := <-answers; a.name == "well" {
			if a.err != nil {
				t.Errorf("a Commit that has nothing to do with the locked log: %v", a.err)
			}
		}
	}
}

// A log that isn't locked must not wait behind four that are, because it was once
// in a flight with them.
func TestInnocentLineDoesNotWaitForLockedOnes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	s := f.wide()
	var stuck []domain.TenantID
	for range 4 {
		stuck = append(stuck, f.tenant())
	}
	innocent := f.tenant()
	var others []domain.TenantID
	for range 4 {
		others = append(others, f.tenant())
	}
	tx, err := f.engine.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	for _, id := range stuck {
		if _, err := tx.Exec(t.Context(), `select from tenant_logs where tenant_id = $1 for no key update`, id.UUID()); err != nil {
			t.Fatal(err)
		}
	}
	answers := make(chan named, 9)
	takeOff := s.Ground()
	for _, id := range stuck {
		f.enter(s, answers, "stuck", commit(t, part(id, newStream(t), 0, 1)))
	}
	f.enter(s, answers, "innocent", commit(t, part(innocent, newStream(t), 0, 1)))
	for _, id := range others {
		f.enter(s, answers, "other", commit(t, part(id, newStream(t), 0, 1)))
	}
	takeOff()
	stuckFirst := 0
	for range 9 {
		switch a := <-answers; a.name {
		case "stuck":
			stuckFirst++
		case "innocent":
			if a.err != nil || stuckFirst > 0 {
				t.Errorf("answered (%v) after %d of the locked ones had given up", a.err, stuckFirst)
			}
		}
	}
}

// A panic in a flight that its caller survives, as every HTTP handler does, must
// leave the queue as it was.
func TestPanicInAFlightLandsIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.tenant()
	s := f.wide()
	s.BreakFeed()
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Append(t.Context(), commit(t, part(tenant, newStream(t), 0, 1)))
	}()
	s.MendFeed()
	if n := s.Flying(); n != 0 {
		t.Errorf("%d flights are under way for ever; whoever appends to this tenant waits for ever", n)
	}
}

// A Commit whose answer was lost and that was found in the log is news as well.
func TestFoundCommitIsNews(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, other := f.tenant(), f.tenant()
	w := newWire(t, f.db.EngineURL)
	engine, err := postgres.Pool(t.Context(), w.url, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	feed := eventstore.NewFeed(eventstore.FeedConfig{Pool: f.engine}, nil)
	s := eventstore.New(engine, f.api, feed)
	f.grow(s, other, 1)
	w.dropOne.Store(true)
	f.append(s, commit(t, part(tenant, newStream(t), 0, 1)))
	if w.dropOne.Load() {
		t.Fatal("no answer was dropped")
	}
	if !feed.Told(other) || !feed.Told(tenant) {
		t.Errorf("told of the other %t, of the one whose answer was lost %t", feed.Told(other), feed.Told(tenant))
	}
}
