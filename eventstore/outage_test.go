package eventstore_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/postgres"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// wire is a proxy in front of Postgres whose connections can be made to break.
type wire struct {
	url      string
	listener net.Listener
	network  string
	address  string

	dropRequests atomic.Bool // break when the client sends, without passing it on
	dropAnswers  atomic.Bool // break when Postgres has answered, without passing it on
	dropOne      atomic.Bool // dropAnswers, for the next answer only

	mu    sync.Mutex
	conns []net.Conn
	done  sync.WaitGroup
}

// newWire listens in front of the server of a URL. It ends with the test.
func newWire(t *testing.T, url string) *wire {
	t.Helper()
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	w.network, w.address = pgconn.NetworkAddress(cfg.Host, cfg.Port)
	if w.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w.url = fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", cfg.User, cfg.Password, w.listener.Addr(), cfg.Database)
	w.done.Go(func() {
		for {
			client, err := w.listener.Accept()
			if err != nil {
				return
			}
			w.done.Go(func() { w.serve(client) })
		}
	})
	t.Cleanup(w.close)
	return w
}

func (w *wire) serve(client net.Conn) {
	server, err := net.Dial(w.network, w.address)
	if err != nil {
		client.Close()
		return
	}
	w.mu.Lock()
	w.conns = append(w.conns, client, server)
	w.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { pass(server, client, w.dropRequests.Load) })
	both.Go(func() {
		pass(client, server, func() bool { return w.dropAnswers.Load() || w.dropOne.CompareAndSwap(true, false) })
	})
	both.Wait()
}

// pass copies until either side ends, or there is something to copy and drop says no.
func pass(to, from net.Conn, drop func() bool) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && drop() {
			return
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || err == io.EOF {
			return
		}
		if err != nil {
			return
		}
	}
}

// close refuses new connections and breaks those there are.
func (w *wire) close() {
	w.listener.Close()
	w.mu.Lock()
	for _, c := range w.conns {
		c.Close()
	}
	w.mu.Unlock()
	w.done.Wait()
}

// behind is a Store whose engine connection goes over the wire, and has been
// used for an append already.
func (f *fixture) behind(w *wire, tenant domain.TenantID) *eventstore.Store {
	f.T.Helper()
	engine, err := postgres.Pool(f.T.Context(), w.url, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 1})
	if err != nil {
		f.T.Fatal(err)
	}
	f.T.Cleanup(engine.Close)
	s := eventstore.New(engine, f.API, nil)
	f.Grow(s, tenant, 1)
	return s
}

// No append is answered any more: the events are there, and the log is read to
// find out.
func TestAppendWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	w := newWire(t, f.DB.EngineURL)
	s := f.behind(w, tenant)
	w.dropAnswers.Store(true)
	c := commit(t, part(tenant, stream, 0, 1))
	appended, err := s.Append(t.Context(), c)
	if err != nil {
		t.Fatalf("got %v, though it can be found out", err)
	}
	events, err := tenanttest.Load(t.Context(), f.Store, tenant, stream, 0)
	if err != nil || len(events) != 1 || events[0].Command != c.Command || events[0].Seq != appended.Seq(tenant) {
		t.Errorf("the log has %+v (%v), want the Commit's event at %d", events, err, appended.Seq(tenant))
	}
	// Sent again it can't be applied twice.
	w.dropAnswers.Store(false)
	var conflict *eventstore.ConflictError
	if _, err := s.Append(t.Context(), c); !errors.As(err, &conflict) {
		t.Errorf("sent again: got %v, want a conflict", err)
	}
}

// If the request is lost, nothing is written, but the store can't know that.
func TestAppendWhoseRequestIsLost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	w := newWire(t, f.DB.EngineURL)
	s := f.behind(w, tenant)
	w.dropRequests.Store(true)
	c := commit(t, part(tenant, newStream(t), 0, 1))
	f.wantsUnchanged(func() {
		if _, err := s.Append(t.Context(), c); !errors.Is(err, eventstore.ErrOutcomeUnknown) {
			t.Errorf("got %v, want outcome unknown", err)
		}
	})
	w.dropRequests.Store(false)
	f.Append(s, c)
}

func TestAppendWithoutPostgres(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	w := newWire(t, f.DB.EngineURL)
	s := f.behind(w, tenant)
	w.close()
	f.wantsUnchanged(func() {
		// The first finds its connection broken, the second can make none.
		_, err := s.Append(t.Context(), commit(t, part(tenant, newStream(t), 0, 1)))
		if !errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrOutcomeUnknown) {
			t.Errorf("got %v", err)
		}
		_, err = s.Append(t.Context(), commit(t, part(tenant, newStream(t), 0, 1)))
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("got %v, want unavailable", err)
		}
	})
}

// A session that is ended by the server says so, but not whether before or after
// its commit.
func TestAppendWhoseSessionIsEnded(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	f.Grow(f.Store, tenant, 1)
	admin := tenanttest.Session(t, f.DB.EngineURL)
	lock := f.lock(tenant)
	failed := make(chan error, 1)
	go func() {
		_, err := f.Store.Append(t.Context(), commit(t, part(tenant, newStream(t), 0, 1)))
		failed <- err
	}()
	tenanttest.Until(t, admin, `select coalesce(bool_or(pg_terminate_backend(pid)), false) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'`)
	if err := tenanttest.Receive(t, "the append has no outcome", failed); !errors.Is(err, eventstore.ErrOutcomeUnknown) {
		t.Errorf("got %v, want outcome unknown", err)
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.WantsOrderly(tenant)
}

// All connections are busy: the caller's patience decides, and nothing was sent.
func TestAppendWithoutAConnection(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	engine, err := postgres.Pool(t.Context(), f.DB.EngineURL, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	conn, err := engine.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	ctx, cancel := withPatience(t)
	defer cancel()
	f.wantsUnchanged(func() {
		_, err := eventstore.New(engine, f.API, nil).Append(ctx, commit(t, part(tenant, newStream(t), 0, 1)))
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("got %v, want unavailable", err)
		}
	})
}

// The tenant's log stays locked for longer than the session waits: nothing was
// written, and it may be tried again.
func TestAppendOnALogThatStaysLocked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	hurried := f.DB.Engine(t)
	for _, conn := range hurried.AcquireAllIdle(t.Context()) {
		if _, err := conn.Exec(t.Context(), `set lock_timeout = 1`); err != nil {
			t.Fatal(err)
		}
		conn.Release()
	}
	lock := f.lock(tenant)
	defer lock.Rollback(t.Context())
	f.wantsUnchanged(func() {
		_, err := eventstore.New(hurried, f.API, nil).Append(t.Context(), commit(t, part(tenant, newStream(t), 0, 1)))
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("got %v, want unavailable", err)
		}
	})
}

// lock holds a tenant's log until the transaction ends.
func (f *fixture) lock(t domain.TenantID) pgx.Tx {
	f.T.Helper()
	tx, err := f.Engine.Begin(f.T.Context())
	if err != nil {
		f.T.Fatal(err)
	}
	if _, err := tx.Exec(f.T.Context(), `select from tenant_logs where tenant_id = $1 for no key update`, t.UUID()); err != nil {
		f.T.Fatal(err)
	}
	return tx
}

// The answer is lost and Postgres is there again: the Commit is sent again, and
// what it had done already is found by its command id.
func TestLostAnswerIsResolved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	w := newWire(t, f.DB.EngineURL)
	s := f.behind(w, tenant)
	before := len(f.Log(tenant))

	c := commit(t, part(tenant, newStream(t), 0, 2))
	w.dropOne.Store(true)
	appended, err := s.Append(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if w.dropOne.Load() {
		t.Fatal("no answer was dropped")
	}
	after := f.Log(tenant)
	if len(after) != before+2 {
		t.Fatalf("%d events, want %d", len(after), before+2)
	}
	for i, e := range appended.Events {
		if stored := after[before+i]; e.Seq != stored.Seq || !e.At.Equal(stored.At) || e.Command != c.Command {
			t.Errorf("told %+v, stored %+v", e, stored)
		}
	}
}

// A tenant whose row is locked keeps its own appends waiting, with as many as
// there are connections, and no other tenant's.
func TestBlockedTenantBlocksNoOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	blocked, free := f.Tenant(), f.Tenant()
	lock := f.lock(blocked)
	var waiting sync.WaitGroup
	for range 2 * f.Engine.Config().MaxConns {
		c := commit(t, part(blocked, newStream(t), 0, 1))
		waiting.Go(func() {
			if err := f.AppendAtLast(f.Store, c); err != nil {
				t.Error(err)
			}
		})
	}
	f.Grow(f.Store, free, 5)
	if n := len(f.Log(blocked)); n > 1 {
		t.Errorf("%d events of the blocked tenant: it wasn't", n)
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
}
