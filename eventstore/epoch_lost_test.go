package eventstore_test

import (
	"log/slog"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"
)

// epochs are Epochs that have looked once, and the Store whose writes they check.
func (f *fixture) epochs() (*eventstore.Store, *eventstore.Epochs, domain.Epoch) {
	f.T.Helper()
	store := f.another()
	epochs := eventstore.NewEpochs(f.Engine, store, nil, slog.New(slog.DiscardHandler))
	first, err := epochs.Current(f.T.Context())
	if err != nil {
		f.T.Fatal(err)
	}
	return store, epochs, first
}

func (f *fixture) exec(sql string) {
	f.T.Helper()
	if _, err := f.DB.Owner(f.T).Exec(f.T.Context(), sql); err != nil {
		f.T.Fatal(err)
	}
}

// An epoch whose commit fails isn't begun, and the loss isn't forgotten: the next look
// begins it.
func TestEpochThatIsNotCommitted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	store, epochs, first := f.epochs()
	tenant := tenanttest.NewID[domain.TenantID](t)
	f.Append(store, eventstore.Commit{NewTenants: []domain.TenantID{tenant}, Parts: []eventstore.Part{tenantPart(tenant)}})
	f.exec(`alter table events disable trigger user;
alter table events no force row level security;
delete from events;
create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
create constraint trigger refuse after insert on epochs deferrable initially deferred for each row execute function refuse()`)
	store.ServerChanged()
	if e, err := epochs.Current(t.Context()); err == nil {
		t.Fatalf("epoch %v was begun, although the commit failed", e)
	}
	f.exec(`drop trigger refuse on epochs`)
	if e, err := epochs.Current(t.Context()); err != nil || e.Number != first.Number+1 {
		t.Errorf("the epoch is %v, %v; want one after %v", e, err, first)
	}
}

// A restore may lose the newest epoch, too. The one before comes back, but what clients have
// of it may be of the history that was lost: a new epoch begins, with a new number.
func TestEpochThatIsLost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	store, epochs, first := f.epochs()
	others, following, _ := f.epochs()
	lost, err := epochs.Begin(t.Context(), "restored")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []*eventstore.Epochs{epochs, following} {
		store.ServerChanged()
		others.ServerChanged()
		if e, err := of.Current(t.Context()); err != nil || e != lost {
			t.Fatalf("the epoch is %v, %v; want %v", e, err, lost)
		}
	}
	f.exec(`alter table epochs no force row level security; delete from epochs where number > 1`)
	store.ServerChanged()
	others.ServerChanged()
	next, err := epochs.Current(t.Context())
	if err != nil || next.ID == first.ID || next.ID == lost.ID || next.Number <= lost.Number {
		t.Errorf("after the loss of %v the epoch is %v, %v", lost, next, err)
	}
	if e, err := following.Current(t.Context()); err != nil || e != next {
		t.Errorf("the other replica is in %v, %v; want %v", e, err, next)
	}
}

// A look may be the first to reach another server. Its callers wait for the next one, which
// they share.
func TestServerChangesDuringALook(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	store, epochs, first := f.epochs()
	owner := f.DB.Owner(t)
	lock, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback(t.Context()) }()
	if _, err := lock.Exec(t.Context(), `lock table epochs in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	store.ServerChanged()
	type answer struct {
		epoch domain.Epoch
		err   error
	}
	answers := make(chan answer, 8)
	for range cap(answers) {
		go func() {
			e, err := epochs.Current(t.Context())
			answers <- answer{e, err}
		}()
	}
	const waiting = `select count(*) from pg_locks where relation = 'epochs'::regclass and not granted`
	tenanttest.Until(t, lock, `select (`+waiting+`) > 0`)
	store.ServerChanged()
	var looks int
	if err := lock.QueryRow(t.Context(), waiting).Scan(&looks); err != nil || looks != 1 {
		t.Errorf("%d looks at once, %v; want 1", looks, err)
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range cap(answers) {
		if a := tenanttest.Receive(t, "a caller still waits", answers); a.err != nil || a.epoch != first {
			t.Errorf("the epoch is %v, %v; want %v", a.epoch, a.err, first)
		}
	}
}
