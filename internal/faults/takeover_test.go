//go:build linux

package faults_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/pgtest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// logs are a database with tenants whose logs grow without wake-ups.
type logs struct {
	t      *testing.T
	db     *pgtest.DB
	engine *pgxpool.Pool
	store  *eventstore.Store
	// heads are where they end.
	heads    map[domain.TenantID]int64
	progress *feed.Positions
}

func newLogs(t *testing.T, tenants, events int) *logs {
	t.Helper()
	db := pgtest.New(t)
	if _, err := db.Owner(t).Exec(t.Context(), journalSQL); err != nil {
		t.Fatal(err)
	}
	l := &logs{t: t, db: db, engine: db.Engine(t), heads: map[domain.TenantID]int64{}}
	l.progress = feed.NewPositions(l.engine)
	// Without a feed: what is appended must be found by looking.
	l.store = eventstore.New(l.engine, db.API(t), nil)
	for range tenants {
		id := newID[domain.TenantID](t)
		l.append(eventstore.Commit{
			NewTenants: []domain.TenantID{id},
			Parts: []eventstore.Part{{Tenant: id, Stream: domain.Stream(domain.TenantStream, id), Events: []domain.Event{
				domain.TenantCreated{Name: "Acme", Slug: "acme", Registration: domain.RegistrationOpen, DefaultRole: domain.Member, Channel: domain.ChannelInApp},
			}}},
		})
	}
	l.grow(events)
	return l
}

// grow appends so many events to each log.
func (l *logs) grow(events int) {
	l.t.Helper()
	for id := range l.heads {
		for range events {
			l.append(eventstore.Commit{Parts: []eventstore.Part{titled(id, newStream(l.t), 0)}})
		}
	}
}

func (l *logs) append(c eventstore.Commit) {
	l.t.Helper()
	c.Command = newID[domain.CommandID](l.t)
	done, err := l.store.Append(l.t.Context(), c)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range done.Events {
		l.heads[e.Tenant] = e.Seq
	}
}

// titled is one event for a task's stream.
func titled(t domain.TenantID, s domain.StreamID, expected int) eventstore.Part {
	return eventstore.Part{Tenant: t, Stream: s, Expected: expected, Events: []domain.Event{
		domain.TaskUpdated{Title: fmt.Sprint("version ", expected+1)},
	}}
}

func newStream(t *testing.T) domain.StreamID {
	return domain.Stream(domain.TaskStream, newID[domain.TaskID](t))
}

func newID[I ~[16]byte](t *testing.T) I {
	t.Helper()
	u, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return I(u)
}

// wantsFollowed waits until a log was read to its end.
func (l *logs) wantsFollowed(id domain.TenantID) {
	l.t.Helper()
	ctx, cancel := untilNearlyOver(l.t)
	defer cancel()
	if !l.progress.Await(ctx, id, l.heads[id], journal) {
		l.t.Fatalf("no follower reads tenant %s to its end at %d", id, l.heads[id])
	}
}

// journalOfSQL counts the events of a tenant ($1) in the journal, and those by a
// follower ($2).
const journalOfSQL = `select count(*), count(*) filter (where by = $2) from journal where tenant_id = $1`

// wantsJournal fails unless all of a log stands in the journal; it says how much
// of it is by one follower.
func (l *logs) wantsJournal(id domain.TenantID, by string) (byIt int64) {
	l.t.Helper()
	l.wantsFollowed(id)
	var all int64
	if err := l.engine.QueryRow(l.t.Context(), journalOfSQL, id.UUID(), by).Scan(&all, &byIt); err != nil {
		l.t.Fatal(err)
	}
	if all != l.heads[id] {
		l.t.Errorf("%d events of tenant %s are in the journal, its log has %d", all, id, l.heads[id])
	}
	return byIt
}

// untilNearlyOver ends when there is just time to say what is wrong.
func untilNearlyOver(t *testing.T) (context.Context, context.CancelFunc) {
	if deadline, ok := t.Deadline(); ok {
		return context.WithDeadline(t.Context(), deadline.Add(-last))
	}
	return context.WithCancel(t.Context())
}

// Replicas share the tenants. When one dies or stops in the middle of a page, the
// other takes its tenant over; nothing is lost, and nothing comes twice or out of
// order, also when the one that was stopped goes on.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for name, strike := range map[string]func(*follower){
		"killed":  func(f *follower) { f.signal(syscall.SIGKILL) },
		"stopped": (*follower).stop,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLogs(t, 4, 30)
			one, two := newFollower(t, l.db.EngineURL, "one"), newFollower(t, l.db.EngineURL, "two")
			if one.holds == two.holds {
				t.Fatalf("both have a page of tenant %s", one.holds)
			}
			if one.idle <= 0 || one.idle > time.Minute {
				t.Errorf("a session may idle in the middle of a page for %s", one.idle)
			}
			// The second fails its page, which comes again, and then does the others.
			two.order("fail")
			for id := range l.heads {
				if id != one.holds {
					l.wantsJournal(id, "two")
				}
			}
			if n := l.wantsNothingOf(one.holds); n != 0 {
				t.Fatalf("%d events of the page in hand can be seen", n)
			}

			strike(one)
			if n := l.wantsJournal(one.holds, "two"); n != l.heads[one.holds] {
				t.Errorf("%d of %d events are by the one that took over", n, l.heads[one.holds])
			}
			l.grow(30)
			for id := range l.heads {
				l.wantsJournal(id, "two")
			}
			if name == "killed" {
				return
			}
			// It wakes up in the middle of a page that isn't its any more.
			one.signal(syscall.SIGCONT)
			one.order("go")
			two.signal(syscall.SIGKILL)
			l.grow(30)
			for id, head := range l.heads {
				if n := l.wantsJournal(id, "one"); n == 0 || n > 30 {
					t.Errorf("%d of %d events are by the one that was stopped, want the last at most", n, head)
				}
			}
		})
	}
}

// wantsNothingOf is how many events of a tenant the journal has now.
func (l *logs) wantsNothingOf(id domain.TenantID) (n int64) {
	l.t.Helper()
	var unnamed int64
	if err := l.engine.QueryRow(l.t.Context(), journalOfSQL, id.UUID(), "").Scan(&n, &unnamed); err != nil {
		l.t.Fatal(err)
	}
	return n
}
