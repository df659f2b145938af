package feed_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/pgtest"
	"docket/internal/tenanttest"

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

// until repeats a yes-or-no query until it answers yes.
func until(t *testing.T, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, sql string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), tenanttest.MaxWait)
	defer cancel()
	tenanttest.Eventually(t, "the database still answers no to "+sql, func() (yes bool, parameters any) {
		if err := q.QueryRow(ctx, sql, args...).Scan(&yes); err != nil {
			t.Fatalf("waiting for %s: %v", sql, err)
		}
		return yes, args
	})
}

// withPatience is the context of a caller who soon gives up.
func withPatience(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), 10*time.Millisecond)
}

// singleBuild is the only build of its Builds; Close ends both.
type singleBuild struct {
	*feed.Build
	Close func()
}

// startBuild begins or resumes one.
func startBuild(ctx context.Context, pool *pgxpool.Pool, t domain.TenantID, subscription string, foldVersion int) (*singleBuild, error) {
	builds, err := feed.OpenBuilds(ctx, pool, t, "")
	if err != nil {
		return nil, err
	}
	b, err := builds.Start(ctx, subscription, foldVersion)
	if err != nil {
		builds.Close()
		return nil, err
	}
	return &singleBuild{b, builds.Close}, nil
}

// raw writes an event as another version of Docket, or another clock, would.
func (f *fixture) raw(e rawEvent) {
	f.t.Helper()
	_, err := f.engine.Exec(f.t.Context(), `insert into events
values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8, null, $9, $10, $11)`,
		e.tenant.UUID(), e.seq, string(e.stream.Type), e.stream.ID, e.version, e.eventType, max(e.schema, 1), e.ahead,
		newID[domain.CommandID](f.t).UUID(), cmp.Or(e.data, `{"title":"x"}`), cmp.Or(e.meta, `{}`))
	if err != nil {
		f.t.Fatal(err)
	}
}

type rawEvent struct {
	tenant    domain.TenantID
	seq       int64
	stream    domain.StreamID
	version   int
	eventType string
	schema    int           // 1 if 0
	data      string        // {"title":"x"} if empty
	meta      string        // {} if empty
	ahead     time.Duration // how far ahead the clock is
}

// wantsOrderly fails unless a log is what every reader relies on: seq dense,
// versions dense per stream, times strictly increasing.
func (f *fixture) wantsOrderly(t domain.TenantID) []domain.Recorded {
	f.t.Helper()
	log := f.log(t)
	versions := map[domain.StreamID]int{}
	for i, e := range log {
		if e.Seq != int64(i+1) {
			f.t.Fatalf("event %d has seq %d", i+1, e.Seq)
		}
		if versions[e.Stream]++; e.Version != versions[e.Stream] {
			f.t.Fatalf("seq %d: stream %s goes on with version %d, want %d", e.Seq, e.Stream, e.Version, versions[e.Stream])
		}
		if i > 0 && !e.At.After(log[i-1].At) {
			f.t.Fatalf("seq %d is of %s, the one before of %s", e.Seq, e.At, log[i-1].At)
		}
	}
	return log
}

// appendAtLast appends for one who tries again where the log stays locked for longer than
// the session waits.
func (f *fixture) appendAtLast(s *eventstore.Store, c eventstore.Commit) error {
	ctx, cancel := context.WithTimeout(f.t.Context(), tenanttest.MaxWait)
	defer cancel()
	for {
		if _, err := s.Append(ctx, c); !errors.Is(err, eventstore.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
	}
}
