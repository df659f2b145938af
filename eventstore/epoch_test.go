package eventstore_test

import (
	"context"
	"log/slog"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"
)

// An epoch lasts over restarts and failovers that lose nothing; it ends where the event that
// this process wrote last is gone, where the server is of another system or timeline, and
// where an operator says so. Replicas follow, and begin no second one.
func TestEpochs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	engine, owner := f.Engine, f.DB.Owner(t)
	log := slog.New(slog.DiscardHandler)
	replica := func() (*eventstore.Store, *eventstore.Epochs) {
		store := f.another()
		return store, eventstore.NewEpochs(engine, store, nil, log)
	}
	one, epochs := replica()
	two, others := replica()
	current := func(of *eventstore.Epochs) domain.Epoch {
		t.Helper()
		e, err := of.Current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	failover := func() { one.ServerChanged(); two.ServerChanged() }

	first := current(epochs)
	if !first.First() || current(others) != first {
		t.Fatalf("the first epoch is %v and %v", first, current(others))
	}
	tenant := tenanttest.NewID[domain.TenantID](t)
	f.Append(one, eventstore.Commit{NewTenants: []domain.TenantID{tenant}, Parts: []eventstore.Part{tenantPart(tenant)}})
	failover()
	if got := current(epochs); got != first {
		t.Errorf("after a failover without a loss the epoch is %v, want %v", got, first)
	}
	// What is gone is gone: the log itself refuses it.
	exec(`alter table events disable trigger user`)
	exec(`alter table events no force row level security`)
	exec(`delete from events where tenant_id = $1`, tenant.UUID())
	failover()
	second := current(epochs)
	if second.Number != 2 || second.ID == first.ID || second.Reason == "" {
		t.Errorf("after a loss the epoch is %v", second)
	}
	if got := current(others); got != second {
		t.Errorf("the other replica is in %v, want %v", got, second)
	}
	failover()
	if got := current(epochs); got != second {
		t.Errorf("the loss is accounted for, and the epoch is %v, want %v", got, second)
	}
	exec(`alter table epochs no force row level security`)
	exec(`update epochs set timeline = 0 where number = 2`)
	failover()
	third := current(epochs)
	if third.Number != 3 {
		t.Errorf("on another timeline the epoch is %v, want the third", third)
	}
	exec(`update epochs set system_identifier = 'another' where number = 3`)
	failover()
	fourth := current(others)
	if fourth.Number != 4 {
		t.Errorf("on another system the epoch is %v, want the fourth", fourth)
	}
	if got := current(epochs); got != fourth {
		t.Errorf("the other replica is in %v, want %v", got, fourth)
	}
	fifth, err := epochs.Begin(t.Context(), "restored by hand")
	if err != nil || fifth.Number != 5 || fifth.Reason != "restored by hand" {
		t.Errorf("begun by an operator is %v, %v", fifth, err)
	}
	failover()
	if got := current(others); got != fifth {
		t.Errorf("the epoch is %v, want %v", got, fifth)
	}
}

// An epoch is recorded by one process, once.
func TestEpochIsRecorded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	calls := make(chan domain.Epoch, 10)
	start := func() *eventstore.Epochs {
		t.Helper()
		epochs := eventstore.NewEpochs(f.Engine, f.another(), func(_ context.Context, e domain.Epoch) error {
			calls <- e
			return nil
		}, slog.New(slog.DiscardHandler))
		if err := epochs.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(epochs.Stop)
		epochs.StartRecording()
		return epochs
	}
	begun, err := eventstore.NewEpochs(f.Engine, f.Store, nil, slog.New(slog.DiscardHandler)).Begin(t.Context(), "restored")
	if err != nil {
		t.Fatal(err)
	}
	start()
	if got := tenanttest.Receive(t, "the epoch wasn't recorded", calls); got != begun {
		t.Errorf("recorded is %v, want %v", got, begun)
	}
	tenanttest.Eventually(t, "the epoch doesn't count as recorded", func() (done bool, _ any) {
		if err := f.Engine.QueryRow(t.Context(), `select recorded_at is not null from epochs where id = $1`, begun.ID.UUID()).Scan(&done); err != nil {
			t.Fatal(err)
		}
		return done, nil
	})
	if got := start().Known(); got != begun {
		t.Errorf("another process is in %v, want %v", got, begun)
	}
	if len(calls) > 0 {
		t.Errorf("recorded twice: %v", <-calls)
	}
}
