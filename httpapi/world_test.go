package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	watermillmiddleware "github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"

	"docket/commands"
	"docket/domain"
	"docket/eventstore"
	"docket/internal/pgtest"
	"docket/notify"
	"docket/projections"
)

const (
	password  = "correct horse battery"
	setupCode = "let-me-in"
)

// world is a database with the default tenant in it, all subscriptions running,
// and one replica of the API in front.
type world struct {
	testing.TB
	server    *Server
	store     *eventstore.Store
	published *published
	rebuild   *projections.Rebuilder
	// replica makes another Server, which shares nothing with the first but the
	// database.
	replica func() *Server
	// stop stops the subscriptions; resume runs them again, as another process would.
	stop, resume func()
	// beginSession makes a user's session, as a login does.
	beginSession func(uuid.UUID, domain.UserID)
	// events counts the events of all logs, the platform's included.
	events func() int
	// caughtUp waits until all subscriptions have come to a seq of a tenant.
	caughtUp func(domain.TenantID, int64)
	// platformCaughtUp waits until a subscription has come to the end of the
	// platform's log.
	platformCaughtUp func(subscription string)
	persons          atomic.Int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	db := pgtest.New(t)
	engine, api := db.Engine(t), db.API(t)
	progress := eventstore.NewProgress(api)
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	feeds := eventstore.FeedConfig{Pool: db.Engine(t), Workers: 1, Sweep: 50 * time.Millisecond, Logger: log}
	feed := eventstore.NewFeed(feeds, progress)
	handlers := projections.Subscriptions()
	name, handler := notify.Subscription()
	handlers[name] = handler

	w := &world{TB: t, rebuild: projections.NewRebuilder(engine)}
	master := bytes.Repeat([]byte("m"), minMasterKey)
	replica := func(feed *eventstore.Feed, progress *eventstore.Progress) (*Server, *commands.Commands) {
		t.Helper()
		store := eventstore.New(engine, api, feed)
		credentials, err := commands.NewCredentials(engine, nil)
		if err != nil {
			t.Fatal(err)
		}
		secrets, err := notify.NewSecrets(engine, master)
		if err != nil {
			t.Fatal(err)
		}
		cmds, err := commands.New(commands.Config{Store: store, Credentials: credentials, Secrets: secrets, SetupCode: setupCode})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cmds.EnsureDefaultTenant(context.Background(), commands.NewTenant{Name: "Default Org", Slug: defaultSlug}); err != nil {
			t.Fatal(err)
		}
		// A read that never sees its write fails its test all the same, later.
		queries := projections.NewQueries(api, progress)
		queries.OwnWait = 5 * time.Second
		s, err := New(Config{
			Commands: cmds, Sessions: commands.NewSessions(engine, cmds),
			Queries: queries, Inbox: notify.NewInbox(api, progress),
			Egress: notify.NewEgress(nil),
			Keys:   []SigningKey{testKey}, MasterKey: master, Issuer: "docket", Version: "test",
			Ready: func(context.Context) error { return nil }, Logger: log,
		})
		if err != nil {
			t.Fatal(err)
		}
		return s, cmds
	}
	var cmds *commands.Commands
	w.server, cmds = replica(feed, progress)
	w.replica = func() *Server {
		s, _ := replica(nil, eventstore.NewProgress(api))
		return s
	}
	w.store = eventstore.New(engine, api, feed)
	handlers[commands.Renames] = eventstore.Handle(cmds.CarryRenames)
	w.stop = runSubscriptions(t, feed, handlers, log)
	w.resume = func() { runSubscriptions(t, eventstore.NewFeed(feeds, progress), handlers, log) }
	w.beginSession = func(id uuid.UUID, user domain.UserID) {
		t.Helper()
		_, err := engine.Exec(context.Background(),
			`insert into sessions (id, user_id, expires_at) values ($1, $2, now() + interval '1 day')`, id, user.UUID())
		if err != nil {
			t.Fatal(err)
		}
	}
	w.published = readPublished(t, w.server)
	w.events = func() (n int) {
		t.Helper()
		if err := engine.QueryRow(context.Background(), `select count(*) from events`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	w.platformCaughtUp = func(subscription string) {
		t.Helper()
		var head int64
		const sql = `select max(seq) from events where tenant_id = $1`
		if err := engine.QueryRow(context.Background(), sql, domain.Platform.UUID()).Scan(&head); err != nil {
			t.Fatal(err)
		}
		if !progress.Await(t.Context(), domain.Platform, head, subscription) {
			t.Fatalf("%s never came to seq %d of the platform", subscription, head)
		}
	}
	w.caughtUp = func(tenant domain.TenantID, seq int64) {
		t.Helper()
		for name := range handlers {
			if !progress.Await(t.Context(), tenant, seq, name) {
				t.Fatalf("%s never came to seq %d", name, seq)
			}
		}
	}
	return w
}

// testKey signs the access tokens of every world.
var testKey = SigningKey{ID: "k", Secret: bytes.Repeat([]byte("k"), minSigningKey)}

// runSubscriptions runs them until stop, at the latest until the test ends.
func runSubscriptions(t testing.TB, feed *eventstore.Feed, handlers map[string]message.NoPublishHandlerFunc, log *slog.Logger) (stop func()) {
	t.Helper()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NewSlogLogger(log))
	if err != nil {
		t.Fatal(err)
	}
	router.AddMiddleware(watermillmiddleware.Recoverer)
	for name, handler := range handlers {
		router.AddConsumerHandler(name, name, feed, handler)
	}
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	<-router.Running()
	stop = sync.OnceFunc(func() {
		if err := router.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// person is somebody who sends requests: with a token or none, in a tenant or
// the default one, to one replica.
type person struct {
	w      *world
	server http.Handler
	id     domain.UserID
	email  string
	name   string
	token  string
	// headers go with every request.
	headers []string
	// mustNotSee fails the test where it stands in an answer.
	mustNotSee string
}

// nobody has no token.
func (w *world) nobody() person { return person{w: w, server: w.server} }

// user makes a user of the default tenant who is logged in. Only the hashing of
// a password, which takes longer than all the rest, is left to the tests of
// registration: those who need one call signUp.
func (w *world) user(name string) person {
	w.Helper()
	p := w.named(name)
	p.id = domain.UserID(uuid.Must(uuid.NewV7()))
	_, err := w.store.Append(w.Context(), eventstore.Commit{
		Command: domain.CommandID(uuid.New()), Actor: p.id,
		Parts: []eventstore.Part{{Tenant: domain.Platform, Stream: domain.Stream(domain.UserStream, p.id), Events: []domain.Event{
			domain.UserRegistered{Email: domain.About(p.id, p.email), Name: domain.About(p.id, name)},
		}}},
		Claims: []eventstore.Claim{{Tenant: domain.Platform, Kind: eventstore.ClaimEmail, Value: domain.FoldEmail(p.email), Holder: p.id.UUID()}},
	})
	if err != nil {
		w.Fatal(err)
	}
	p = p.session()
	p.post("/v1/tenants/join", "").want(201)
	return p
}

// signUp registers a user in the default tenant and logs in.
func (w *world) signUp(name string) person {
	w.Helper()
	p := w.named(name)
	made := p.post("/v1/auth/register", jsonOf(map[string]any{"email": p.email, "password": password, "name": name})).want(201)
	p.id = as[UserBody](made).ID
	return p.login()
}

// named is nobody with a name and an address that nobody else has.
func (w *world) named(name string) person {
	p := w.nobody()
	p.name = name
	p.email = fmt.Sprintf("%s.%d@example.org", strings.ReplaceAll(strings.ToLower(name), " ", "."), w.persons.Add(1))
	return p
}

// login gives one who signed up a new session.
func (p person) login() person {
	p.w.Helper()
	p.token = as[tokensBody](p.post("/v1/auth/login", jsonOf(map[string]any{"email": p.email, "password": password})).want(200)).AccessToken
	return p
}

// session gives a user a new session without a password.
func (p person) session() person {
	p.w.Helper()
	id := uuid.Must(uuid.NewV7())
	p.w.beginSession(id, p.id)
	token, _, err := p.w.server.tokens.issue(p.id, id)
	if err != nil {
		p.w.Fatal(err)
	}
	p.token = token
	return p
}

// in is the person in a tenant.
func (p person) in(t domain.TenantID) person {
	return p.with(tenantIDHeader, t.String())
}

// with is the person with one more header on every request; an empty value
// takes it away.
func (p person) with(name, value string) person {
	p.headers = append(p.headers[:len(p.headers):len(p.headers)], name, value)
	return p
}

// at is the person at another replica.
func (p person) at(s http.Handler) person {
	p.server = s
	return p
}

// company is a tenant with a member of each role.
type company struct {
	w     *world
	id    domain.TenantID
	slug  string
	staff map[domain.Role]person // each in the tenant
}

// company makes a tenant. prefix begins the name of everything in it.
func (w *world) company(slug, prefix string) *company {
	w.Helper()
	owner := w.user(prefix + " owner")
	made := as[tenantBody](owner.post("/v1/tenants", jsonOf(map[string]any{"name": prefix + " company", "slug": slug})).want(201))
	c := &company{w: w, id: made.ID, slug: slug, staff: map[domain.Role]person{domain.Owner: owner.in(made.ID)}}
	var last int64
	for _, role := range domain.Roles() {
		if role == domain.Owner {
			continue
		}
		p := w.user(prefix + " " + string(role))
		last = c.as(domain.Owner).post("/v1/members", jsonOf(map[string]any{"email": p.email, "role": role})).want(201).seq()
		c.staff[role] = p.in(c.id)
	}
	w.caughtUp(c.id, last) // so that each sees themselves
	return c
}

func (c *company) as(r domain.Role) person { return c.staff[r] }

// anotherThan is a manager or owner who isn't p.
func (c *company) anotherThan(p person) person {
	if p.id == c.as(domain.Manager).id {
		return c.as(domain.Owner)
	}
	return c.as(domain.Manager)
}

// project makes a project of the person's in their tenant.
func (p person) project(name string) projectBody {
	p.w.Helper()
	return as[projectBody](p.post("/v1/projects", jsonOf(map[string]any{"name": name})).want(201))
}

// task puts a task on a project's list.
func (p person) task(project domain.ProjectID, title string) taskBody {
	p.w.Helper()
	return as[taskBody](p.post("/v1/projects/"+project.String()+"/tasks", jsonOf(map[string]any{"title": title})).want(201))
}

// comment says something about a task.
func (p person) comment(task domain.TaskID, body string) commentBody {
	p.w.Helper()
	return as[commentBody](p.post("/v1/tasks/"+task.String()+"/comments", jsonOf(map[string]any{"body": body})).want(201))
}

// move takes a project along the workflow.
func (p person) move(project domain.ProjectID, to ...domain.Status) {
	p.w.Helper()
	for _, status := range to {
		p.post("/v1/projects/"+project.String()+"/transitions", jsonOf(map[string]any{"to": status})).want(200)
	}
}
