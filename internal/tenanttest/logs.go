package tenanttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/pgtest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Logs is a database and one replica's Store on it, for tests of logs whose events no
// command has decided.
type Logs struct {
	T      *testing.T
	DB     *pgtest.DB
	Engine *pgxpool.Pool
	API    *pgxpool.Pool
	Store  *eventstore.Store
}

// NewLogs makes Logs on a database of their own. The Store has no follower.
func NewLogs(t *testing.T) *Logs {
	t.Helper()
	db := pgtest.New(t)
	l := &Logs{T: t, DB: db, Engine: db.Engine(t), API: db.API(t)}
	l.Store = eventstore.New(l.Engine, l.API, nil)
	return l
}

// Tenant begins a tenant's log. Its first event has seq 1.
func (l *Logs) Tenant() domain.TenantID {
	l.T.Helper()
	id := NewID[domain.TenantID](l.T)
	l.Append(l.Store, eventstore.Commit{
		NewTenants: []domain.TenantID{id},
		Parts:      []eventstore.Part{TenantPart(id)},
	})
	return id
}

// Grow appends n events to a new stream, each in a Commit of its own, and returns the last
// one's seq.
func (l *Logs) Grow(s *eventstore.Store, t domain.TenantID, n int) int64 {
	l.T.Helper()
	stream := NewStream(l.T)
	var seq int64
	for i := range n {
		seq = l.Append(s, Commit(l.T, Part(t, stream, i, 1))).Seq(t)
	}
	return seq
}

// Append appends, and fails the test if that fails.
func (l *Logs) Append(s *eventstore.Store, c eventstore.Commit) eventstore.Appended {
	l.T.Helper()
	done, err := s.Append(l.T.Context(), c)
	if err != nil {
		l.T.Fatal(err)
	}
	return done
}

// AppendAtLast appends, and tries again while the log is locked or the queue is full, for
// MaxWait.
func (l *Logs) AppendAtLast(s *eventstore.Store, c eventstore.Commit) error {
	ctx, cancel := context.WithTimeout(l.T.Context(), MaxWait)
	defer cancel()
	for {
		if _, err := s.Append(ctx, c); !errors.Is(err, eventstore.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		time.Sleep(firstPause)
	}
}

// Log is a tenant's whole log, as the engine sees it.
func (l *Logs) Log(t domain.TenantID) []domain.Recorded {
	l.T.Helper()
	rows, err := l.Engine.Query(l.T.Context(), `select `+eventstore.Columns+` from events where tenant_id = $1 order by seq`, t.UUID())
	if err != nil {
		l.T.Fatal(err)
	}
	events, err := pgx.CollectRows(rows, eventstore.Scan)
	if err != nil {
		l.T.Fatal(err)
	}
	return events
}

// Load reads a stream's events after a version.
func Load(ctx context.Context, s *eventstore.Store, t domain.TenantID, stream domain.StreamID, after int) ([]domain.Recorded, error) {
	var events []domain.Recorded
	err := s.Fold(ctx, t, stream, after, eventstore.Head, func(e domain.Recorded) error {
		events = append(events, e)
		return nil
	})
	return events, err
}

// WantsOrderly fails unless a log is what every reader relies on: seq dense, versions
// dense per stream, times strictly increasing.
func (l *Logs) WantsOrderly(t domain.TenantID) []domain.Recorded {
	l.T.Helper()
	log := l.Log(t)
	versions := map[domain.StreamID]int{}
	for i, e := range log {
		if e.Seq != int64(i+1) {
			l.T.Fatalf("event %d has seq %d", i+1, e.Seq)
		}
		if versions[e.Stream]++; e.Version != versions[e.Stream] {
			l.T.Fatalf("seq %d: stream %s continues with version %d, want %d", e.Seq, e.Stream, e.Version, versions[e.Stream])
		}
		if i > 0 && !e.At.After(log[i-1].At) {
			l.T.Fatalf("seq %d is of %s, the one before of %s", e.Seq, e.At, log[i-1].At)
		}
	}
	return log
}

// RawEvent is an event of a stream of tasks as it is stored.
type RawEvent struct {
	Tenant    domain.TenantID
	Seq       int64
	Stream    domain.StreamID
	Version   int
	EventType string
	Schema    int           // 1 if 0
	Data      string        // {"title":"x"} if empty
	Meta      string        // {} if empty
	Ahead     time.Duration // how far ahead the clock is
}

// Raw writes an event as another version of Docket, or another clock, would.
func (l *Logs) Raw(e RawEvent) {
	l.T.Helper()
	_, err := l.Engine.Exec(l.T.Context(), `insert into events
values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8, null, $9, $10, $11)`,
		e.Tenant.UUID(), e.Seq, string(e.Stream.Type), e.Stream.ID, e.Version, e.EventType, max(e.Schema, 1), e.Ahead,
		NewID[domain.CommandID](l.T).UUID(), cmp.Or(e.Data, `{"title":"x"}`), cmp.Or(e.Meta, `{}`))
	if err != nil {
		l.T.Fatal(err)
	}
}

// TenantPart is the first event of a tenant's log.
func TenantPart(id domain.TenantID) eventstore.Part {
	return eventstore.Part{Tenant: id, Stream: domain.Stream(domain.TenantStream, id), Events: []domain.Event{
		domain.TenantCreated{Name: "Acme", Slug: "acme", Registration: domain.RegistrationOpen, DefaultRole: domain.Member, Channel: domain.ChannelInApp},
	}}
}

// Commit is a Commit of these parts without an actor.
func Commit(t TB, parts ...eventstore.Part) eventstore.Commit {
	return eventstore.Commit{Command: NewID[domain.CommandID](t), Parts: parts}
}

// Part is n events for a task's stream.
func Part(tenant domain.TenantID, s domain.StreamID, expected, n int) eventstore.Part {
	p := eventstore.Part{Tenant: tenant, Stream: s, Expected: expected}
	for i := range n {
		p.Events = append(p.Events, domain.TaskUpdated{Title: fmt.Sprint("version ", expected+i+1)})
	}
	return p
}

// NewStream is the stream of a new task.
func NewStream(t TB) domain.StreamID {
	return domain.Stream(domain.TaskStream, NewID[domain.TaskID](t))
}

// Session is a connection as a login, without the role that pools take on: it may see and
// end the sessions of that login.
func Session(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}
