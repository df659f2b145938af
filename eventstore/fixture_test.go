package eventstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/pgtest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// fixture is a database and one replica's Store on it.
type fixture struct {
	t      *testing.T
	db     *pgtest.DB
	engine *pgxpool.Pool
	api    *pgxpool.Pool
	store  *eventstore.Store
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db := pgtest.New(t)
	f := &fixture{t: t, db: db, engine: db.Engine(t), api: db.API(t)}
	f.store = eventstore.New(f.engine, f.api, nil)
	return f
}

// another is a Store with connections of its own, as another replica has.
func (f *fixture) another() *eventstore.Store {
	return eventstore.New(f.db.Engine(f.t), f.db.API(f.t), nil)
}

// tenant begins a tenant's log. Its first event has seq 1.
func (f *fixture) tenant() domain.TenantID {
	f.t.Helper()
	id := newID[domain.TenantID](f.t)
	f.append(f.store, eventstore.Commit{
		NewTenants: []domain.TenantID{id},
		Parts:      []eventstore.Part{tenantPart(id)},
	})
	return id
}

// tenantPart is the first event of a tenant's log.
func tenantPart(id domain.TenantID) eventstore.Part {
	return eventstore.Part{Tenant: id, Stream: domain.Stream(domain.TenantStream, id), Events: []domain.Event{
		domain.TenantCreated{Name: "Acme", Slug: "acme", Registration: domain.RegistrationOpen, DefaultRole: domain.Member, Channel: domain.ChannelInApp},
	}}
}

// grow appends n events to a new stream, each in a Commit of its own, and
// returns the last one's seq.
func (f *fixture) grow(s *eventstore.Store, t domain.TenantID, n int) int64 {
	f.t.Helper()
	stream := newStream(f.t)
	var seq int64
	for i := range n {
		seq = f.append(s, commit(f.t, part(t, stream, i, 1))).Seq(t)
	}
	return seq
}

func (f *fixture) append(s *eventstore.Store, c eventstore.Commit) eventstore.Appended {
	f.t.Helper()
	done, err := s.Append(f.t.Context(), c)
	if err != nil {
		f.t.Fatal(err)
	}
	return done
}

// log is a tenant's whole log, as the engine sees it.
func (f *fixture) log(t domain.TenantID) []domain.Recorded {
	f.t.Helper()
	rows, err := f.engine.Query(f.t.Context(), `select `+eventstore.Columns+` from events where tenant_id = $1 order by seq`, t.UUID())
	if err != nil {
		f.t.Fatal(err)
	}
	events, err := pgx.CollectRows(rows, eventstore.Scan)
	if err != nil {
		f.t.Fatal(err)
	}
	return events
}

// wantsUnchanged runs something and fails if it left a trace in any log or claim.
func (f *fixture) wantsUnchanged(do func()) {
	f.t.Helper()
	const sql = `select (select count(*) from events), (select count(*) from claims), (select count(*) from tenant_logs)`
	count := func() [3]int {
		var n [3]int
		if err := f.engine.QueryRow(f.t.Context(), sql).Scan(&n[0], &n[1], &n[2]); err != nil {
			f.t.Fatal(err)
		}
		return n
	}
	before := count()
	do()
	if after := count(); after != before {
		f.t.Errorf("events, claims and logs were %v, are %v: something was written", before, after)
	}
}

// commit is a Commit of these parts without an actor.
func commit(t testing.TB, parts ...eventstore.Part) eventstore.Commit {
	return eventstore.Commit{Command: newID[domain.CommandID](t), Parts: parts}
}

// part is n events for a task's stream.
func part(tenant domain.TenantID, s domain.StreamID, expected, n int) eventstore.Part {
	p := eventstore.Part{Tenant: tenant, Stream: s, Expected: expected}
	for i := range n {
		p.Events = append(p.Events, domain.TaskUpdated{Title: fmt.Sprint("version ", expected+i+1)})
	}
	return p
}

func newStream(t testing.TB) domain.StreamID {
	return domain.Stream(domain.TaskStream, newID[domain.TaskID](t))
}

type anyID interface {
	domain.TenantID | domain.UserID | domain.TaskID | domain.CommandID
}

func newID[I anyID](t testing.TB) I {
	t.Helper()
	u, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return I(u)
}

// session is a connection as a login, without the role that pools take on: it
// may see and end the sessions of that login.
func session(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// waitLimit bounds every wait of a test for another session or goroutine; pollPause is
// the pause between two queries that wait for another session.
const (
	waitLimit = time.Minute
	pollPause = 2 * time.Millisecond
)

// until repeats a yes-or-no query until it answers yes.
func until(t *testing.T, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, sql string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	for {
		var yes bool
		if err := q.QueryRow(ctx, sql, args...).Scan(&yes); err != nil {
			t.Fatalf("waiting for %s: %v", sql, err)
		}
		if yes {
			return
		}
		time.Sleep(pollPause)
	}
}

// receive is the next value of a channel, within waitLimit.
func receive[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(waitLimit):
		t.Fatalf("no %s within %s", what, waitLimit)
	}
	return v
}

// withPatience is the context of a caller that waits for 10 ms.
func withPatience(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), 10*time.Millisecond)
}
