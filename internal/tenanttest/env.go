package tenanttest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/pgtest"
	"docket/internal/postgres"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// TB is a test, a benchmark or a rapid.T.
type TB interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Env is a database and one replica's parts on it.
type Env struct {
	DB        *pgtest.DB
	Engine    *pgxpool.Pool
	API       *pgxpool.Pool
	Positions *feed.Positions
	Store     *eventstore.Store

	feeds running
}

// New makes an Env on a database of its own.
func New(t testing.TB) *Env {
	t.Helper()
	db := pgtest.New(t)
	e := &Env{DB: db, Engine: db.Engine(t), API: db.API(t)}
	e.Positions = feed.NewPositions(e.API)
	e.Store = eventstore.New(e.Engine, e.API, &e.feeds)
	return e
}

// running are the feeds to wake after an append. They read the events from the
// database, as another replica's feeds do.
type running struct {
	mu    sync.Mutex
	feeds []*feed.Feed
}

// Appended implements eventstore.Follower.
func (r *running) Appended(events []domain.Recorded, _ []int) {
	var tenants []domain.TenantID
	for _, e := range events {
		tenants = append(tenants, e.Tenant)
	}
	r.Grew(tenants)
}

// Grew implements eventstore.Follower.
func (r *running) Grew(tenants []domain.TenantID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.feeds {
		f.Grew(tenants)
	}
}

func (r *running) add(f *feed.Feed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.feeds = append(r.feeds, f)
}

func (r *running) remove(f *feed.Feed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.feeds = slices.DeleteFunc(r.feeds, func(other *feed.Feed) bool { return other == f })
}

// sweep finds what a test inserted with SQL of its own. Ten subscriptions sweep.
const sweep = 250 * time.Millisecond

// feedConns is the size of a feed's pool: a session costs more than its workers wait for
// each other.
const feedConns = 4

// Run runs subscriptions on connections of their own until stop, or the end of the test.
// groups are those of feed.Config.
func (e *Env) Run(t testing.TB, pageSize int, handlers map[string]message.NoPublishHandlerFunc, interests map[string]feed.Interest,
	groups map[string][]string) (stop func()) {
	t.Helper()
	pool, err := postgres.Pool(context.Background(), e.DB.EngineURL, postgres.PoolConfig{
		Role: postgres.EngineRole, MaxConns: feedConns, AppName: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	events := feed.New(feed.Config{Pool: pool, PageSize: pageSize, Workers: 1, Sweep: sweep, Interests: interests, Groups: groups}, e.Positions)
	stop = e.Route(t, events, handlers)
	t.Cleanup(stop)
	return stop
}

// Route runs the handlers of a feed until stop, and wakes the feed after each append.
func (e *Env) Route(t testing.TB, events *feed.Feed, handlers map[string]message.NoPublishHandlerFunc) (stop func()) {
	t.Helper()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	router.AddMiddleware(middleware.Recoverer)
	for name, handler := range handlers {
		router.AddConsumerHandler(name, name, events, handler)
	}
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	<-router.Running()
	e.feeds.add(events)
	return sync.OnceFunc(func() {
		e.feeds.remove(events)
		if err := router.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Await waits until subscriptions have reached the head of a tenant's log.
func (e *Env) Await(t TB, c *Tenant, subscriptions ...string) {
	t.Helper()
	for deadline := time.Now().Add(MaxWait); ; {
		ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
		reached := e.Positions.Await(ctx, c.ID, c.Head(), subscriptions...)
		cancel()
		if reached {
			return
		}
		// A page that fails is never reached.
		var failures, positions string
		if err := e.Engine.QueryRow(context.Background(), `select coalesce(string_agg(error, '; '), ''),
  coalesce(string_agg(subscription || ' at ' || seq, ', '), 'no checkpoints') from checkpoints where tenant_id = $1`,
			c.ID.UUID()).Scan(&failures, &positions); err != nil {
			t.Fatal(err)
		}
		if failures != "" {
			t.Fatal(failures)
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s the head is %d, and there is %s", MaxWait, c.Head(), positions)
		}
	}
}

// Generation is the generation of a read model's rows that a tenant reads.
func (e *Env) Generation(t TB, c *Tenant, model string) int {
	t.Helper()
	var g int
	err := e.Engine.QueryRow(context.Background(),
		`select coalesce(max(current), 1) from generations where tenant_id = $1 and subscription = $2`, c.ID.UUID(), model).Scan(&g)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Rows are the rows of one generation in a table, as text.
func (e *Env) Rows(t TB, c *Tenant, table string, generation int) string {
	t.Helper()
	rows, err := e.Engine.Query(context.Background(), `select (to_jsonb(x) - 'generation')::text from `+table+` x
where tenant_id = $1 and generation = $2 order by 1`, c.ID.UUID(), generation)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return table + "\n" + strings.Join(lines, "\n") + "\n"
}

// Insert writes an event at the end of a tenant's log, as another version of Docket
// would, and returns its seq.
func (e *Env) Insert(t testing.TB, c *Tenant, stream domain.StreamID, eventType string, schema int, data, meta string) int64 {
	t.Helper()
	var seq int64
	err := e.Engine.QueryRow(t.Context(), `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version,
occurred_at, command_id, data, meta)
select $1, max(e.seq) + 1, $2, $3, 1 + count(*) filter (where e.stream_id = $3), $4, $5, max(e.occurred_at) + interval '1 second', $6, $7, $8
from events e where e.tenant_id = $1 returning seq`,
		c.ID.UUID(), string(stream.Type), stream.ID, eventType, schema, uuid.New(), data, meta).Scan(&seq)
	if err != nil {
		t.Fatal(err)
	}
	e.feeds.Grew([]domain.TenantID{c.ID})
	return seq
}

// Company is a new tenant with some projects, each with a task and a comment on it. It
// returns the owner too.
func (e *Env) Company(t TB, projects int) (*Tenant, domain.UserID) {
	t.Helper()
	c, ann := e.Found(t, "acme")
	bob := NewID[domain.UserID](t)
	c.Join(t, bob, "Bob", domain.Member)
	for i := range projects {
		p := c.CreateProject(t, ann, fmt.Sprintf("Project %d", i))
		task := c.CreateTask(t, bob, p, domain.CreateTask{Title: fmt.Sprintf("Task %d", i)})
		c.CreateComment(t, bob, task, fmt.Sprintf("Comment %d", i))
	}
	return c, ann
}

// NewID is a new id.
func NewID[ID ~[16]byte](t TB) ID {
	t.Helper()
	u, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return ID(u)
}
