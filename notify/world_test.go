package notify_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/pgtest"
	"docket/notify"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

func TestMain(m *testing.M) {
	code := pgtest.Run(m)
	if err := pgtest.Leaked(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// patience limits every wait of these tests. It is long, for slow machines.
const patience = 2 * time.Minute

// receive waits for a value.
func receive[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %s for %s", patience, what)
		panic("unreachable")
	}
}

// world is a database with tenants in it, and one replica's connections.
type world struct {
	t        testing.TB
	db       *pgtest.DB
	engine   *pgxpool.Pool
	store    *eventstore.Store
	progress *feed.Positions
	inbox    *notify.Inbox
	version  map[domain.StreamID]int
	// running is the number of replicas.
	running int
}

func newWorld(t testing.TB) *world {
	db := pgtest.New(t)
	engine, api := db.Engine(t), db.API(t)
	progress := feed.NewPositions(api)
	return &world{
		t: t, db: db, engine: engine, progress: progress, version: map[domain.StreamID]int{},
		store: eventstore.New(engine, api, nil), inbox: notify.NewInbox(api, progress),
	}
}

// replica runs the subscription on connections of its own until the test ends, or stop
// is called. wrap, if not nil, wraps the package's handler.
func (w *world) replica(wrap func(message.NoPublishHandlerFunc) message.NoPublishHandlerFunc) (stop func()) {
	w.t.Helper()
	events := feed.New(feed.Config{
		Pool: w.db.Engine(w.t), PageSize: 7, Sweep: 20 * time.Millisecond,
		Interests:  map[string]feed.Interest{notify.SubscriptionName: notify.Interest()},
		Recoveries: map[string]feed.Recovery{notify.SubscriptionName: notify.Recovery()},
	}, w.progress)
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		w.t.Fatal(err)
	}
	router.AddMiddleware(middleware.Recoverer)
	name, handler := notify.Subscription()
	if wrap != nil {
		handler = wrap(handler)
	}
	router.AddConsumerHandler(name, name, events, handler)
	w.running++
	end := w.run(router)
	stop = sync.OnceFunc(func() {
		w.running--
		end()
	})
	w.t.Cleanup(stop)
	return stop
}

// run runs a router until the test ends, or stop is called.
func (w *world) run(router *message.Router) (stop func()) {
	w.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	receive(w.t, router.Running(), "the router to run")
	stop = sync.OnceFunc(func() {
		if err := router.Close(); err != nil {
			w.t.Errorf("close the router: %v", err)
		}
		select {
		case err := <-ended:
			if err != nil {
				w.t.Errorf("run the router: %v", err)
			}
		case <-time.After(patience):
			w.t.Errorf("the router did not end within %s of Close", patience)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// flakyReplicas runs two replicas whose handler fails once after each page of several
// events. The result counts the failures.
func (w *world) flakyReplicas() (failures func() int) {
	w.t.Helper()
	var mu sync.Mutex
	failed := map[int64]bool{}
	for range 2 {
		w.replica(func(next message.NoPublishHandlerFunc) message.NoPublishHandlerFunc {
			return func(m *message.Message) error {
				if err := next(m); err != nil {
					return err
				}
				page, err := feed.PageOf(m)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				// Not a page of one event: the feed waits long before it retries one.
				if first := page.Events[0].Seq; len(page.Events) > 1 && !failed[first] {
					failed[first] = true
					return errors.New("failed after the handler")
				}
				return nil
			}
		})
	}
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(failed)
	}
}

// caught waits until the subscription has handled the tenant log up to seq.
func (w *world) caught(tenant domain.TenantID, seq int64) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if !w.progress.Await(ctx, tenant, seq, notify.SubscriptionName) {
		w.t.Fatalf("the subscription did not reach event %d of tenant %s within %s", seq, tenant, patience)
	}
}

// tenant makes a tenant and members of it, and gives the members' scopes.
func (w *world) tenant(members ...domain.UserID) (domain.TenantID, map[domain.UserID]domain.Scope) {
	w.t.Helper()
	id := newID[domain.TenantID](w.t)
	parts := []eventstore.Part{w.part(id, domain.Stream(domain.TenantStream, id), domain.TenantCreated{
		Name: "Acme", Slug: "acme", Registration: domain.RegistrationClosed, DefaultRole: domain.Member, Channel: domain.ChannelInApp,
	})}
	scopes := map[domain.UserID]domain.Scope{}
	for _, u := range members {
		parts = append(parts, w.part(id, domain.Stream(domain.MemberStream, u), domain.MemberJoined{
			UserID: u, Email: domain.About(u, "ann@example.org"), Name: domain.About(u, "Ann"), Role: domain.Owner,
		}))
	}
	done := w.append(eventstore.Commit{NewTenants: []domain.TenantID{id}, Parts: parts})
	for _, u := range members {
		var m domain.Membership
		for _, e := range done.Of(id, domain.Stream(domain.MemberStream, u)) {
			var err error
			if m, err = m.Evolve(e); err != nil {
				w.t.Fatal(err)
			}
		}
		s, err := domain.Admit(m)
		if err != nil {
			w.t.Fatal(err)
		}
		scopes[u] = s
	}
	return id, scopes
}

// part adds events to the end of a stream.
func (w *world) part(t domain.TenantID, s domain.StreamID, events ...domain.Event) eventstore.Part {
	p := eventstore.Part{Tenant: t, Stream: s, Expected: w.version[s], Events: events}
	w.version[s] += len(events)
	return p
}

// act appends one event of an actor and returns it as recorded.
func (w *world) act(t domain.TenantID, by domain.UserID, s domain.StreamID, e domain.Event) domain.Recorded {
	w.t.Helper()
	c := eventstore.Commit{Actor: by, Parts: []eventstore.Part{w.part(t, s, e)}}
	if !by.IsZero() {
		name := domain.About(by, "Ann")
		c.Meta.ActorName = &name
	}
	return w.append(c).Events[0]
}

func (w *world) append(c eventstore.Commit) eventstore.Appended {
	w.t.Helper()
	c.Command = newID[domain.CommandID](w.t)
	done, err := w.store.Append(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return done
}

// list is a user's whole inbox.
func (w *world) list(s domain.Scope, f notify.Filter) []notify.Notification {
	w.t.Helper()
	items, next, err := w.inbox.List(w.t.Context(), s, f, nil, 1000, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if next != nil {
		w.t.Fatal("there are more than 1,000")
	}
	return items
}

type id interface {
	domain.TenantID | domain.UserID | domain.ProjectID | domain.TaskID | domain.CommentID | domain.CommandID | domain.SecretID
}

func newID[I id](t testing.TB) I {
	t.Helper()
	u, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return I(u)
}

// project and task are streams with what their events carry.
type project struct {
	id    domain.ProjectID
	owner domain.UserID
}

func (p project) stream() domain.StreamID { return domain.Stream(domain.ProjectStream, p.id) }

func (p project) moved() domain.Event {
	return domain.ProjectStatusChanged{
		ProjectID: p.id, Name: "Website", OwnerID: p.owner, From: domain.Draft, To: domain.Submitted,
	}
}

type task struct {
	id      domain.TaskID
	project project
}

func (k task) stream() domain.StreamID { return domain.Stream(domain.TaskStream, k.id) }

func (k task) created(to *domain.UserID) domain.Event {
	return domain.TaskCreated{
		TaskID: k.id, ProjectID: k.project.id, ProjectName: "Website", OwnerID: k.project.owner,
		Title: "Draft copy", Priority: domain.Normal, AssigneeID: to, Labels: []string{},
	}
}

// updated changes one field; to is the assignee after it.
func (k task) updated(field string, to *domain.UserID) domain.Event {
	return domain.TaskUpdated{
		TaskID: k.id, ProjectID: k.project.id, ProjectName: "Website", OwnerID: k.project.owner,
		Title: "Draft copy", AssigneeID: to, Changes: []domain.Change{{Field: field, From: []byte("null"), To: []byte("null")}},
	}
}

// comment is a stream with what its events carry.
type comment struct {
	id   domain.CommentID
	task task
}

func (c comment) stream() domain.StreamID { return domain.Stream(domain.CommentStream, c.id) }

func (c comment) created(assignee *domain.UserID, mentions ...domain.UserID) domain.Event {
	return domain.CommentCreated{
		CommentID: c.id, TaskID: c.task.id, ProjectID: c.task.project.id, ProjectName: "Website", OwnerID: c.task.project.owner,
		Title: "Draft copy", AssigneeID: assignee, Body: "Look here", Mentions: mentions,
	}
}

func (c comment) updated(assignee *domain.UserID, mentions ...domain.UserID) domain.Event {
	return domain.CommentUpdated{
		CommentID: c.id, TaskID: c.task.id, ProjectID: c.task.project.id, ProjectName: "Website", OwnerID: c.task.project.owner,
		Title: "Draft copy", AssigneeID: assignee, Mentions: mentions,
		Changes: []domain.Change{{Field: "body", From: []byte(`"Look"`), To: []byte(`"Look here"`)}},
	}
}
