package feed_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func ignore(context.Context, *feed.Page) error { return nil }

// listening waits until so many Feeds listen.
func (f *fixture) listening(admin *pgx.Conn, n int) {
	f.T.Helper()
	tenanttest.Until(f.T, admin, `select count(*) >= $1 from pg_stat_activity
where datname = current_database() and query = 'listen "docket_news"' and state = 'idle'`, n)
}

// With sweeps out of the way, NOTIFY alone tells another replica, in both
// directions, and not only once.
func TestNotifyReachesOtherReplicas(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	one, two := f.replica(feed.Config{Sweep: never}), f.replica(feed.Config{Sweep: never})
	one.subscribe("one", ignore)
	two.subscribe("two", ignore)
	f.listening(tenanttest.Session(t, f.DB.EngineURL), 2)
	for range 3 {
		one.wantsReached(tenant, f.Grow(one.store, tenant, 2), "one", "two")
		one.wantsReached(tenant, f.Grow(two.store, tenant, 2), "one", "two")
	}
}

// One NOTIFY can't name all tenants that have news at once: the rest comes with
// the next.
func TestNotifyOfManyTenants(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	one, two := f.replica(feed.Config{Sweep: never}), f.replica(feed.Config{Sweep: never})
	one.subscribe("one", ignore)
	two.subscribe("two", ignore)
	f.listening(tenanttest.Session(t, f.DB.EngineURL), 2)
	var ids []uuid.UUID
	var tenants []domain.TenantID
	for range 450 {
		tenants = append(tenants, tenanttest.NewID[domain.TenantID](t))
		ids = append(ids, tenants[len(tenants)-1].UUID())
	}
	if _, err := f.Engine.Exec(t.Context(), `with begun as (insert into tenant_logs select unnest($1::uuid[]) returning tenant_id)
insert into events select tenant_id, 1, 'task', tenant_id, 1, 'task.updated', 1, now(), null, tenant_id, '{}', '{}' from begun`, ids); err != nil {
		t.Fatal(err)
	}
	one.feed.News(tenants)
	for _, tenant := range tenants {
		two.wantsReached(tenant, 1, "two")
	}
}

// If no replica sends NOTIFY, as when it is lost, the sweep alone finds everything.
func TestSweepAloneSuffices(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.replica(feed.Config{Sweep: often})
	r.subscribe("a", ignore)
	for range 3 {
		tenant := f.Tenant() // by a Store that tells no Feed
		r.wantsReached(tenant, f.Grow(f.Store, tenant, 3), "a")
	}
}

// A Feed's own appends reach it without either.
func TestOwnAppendsNeedNoNotify(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	r := f.replica(feed.Config{Sweep: never})
	r.subscribe("a", ignore)
	for range 5 {
		r.wantsReached(tenant, f.Grow(r.store, tenant, 1), "a")
	}
}

// The listening session is ended: the Feed listens again, and news still comes. What it
// had in memory it has forgotten.
func TestListenerReconnects(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	r := f.replica(feed.Config{Sweep: never})
	other := f.replica(feed.Config{Sweep: never})
	r.subscribe("a", ignore)
	other.subscribe("b", ignore) // so that it sends NOTIFYs
	admin := tenanttest.Session(t, f.DB.EngineURL)
	f.listening(admin, 2)
	head := f.Grow(other.store, tenant, 1)
	r.wantsReached(tenant, head, "a")
	// Its first appends aren't kept where it has only just begun to listen.
	tenanttest.Eventually(t, "the replica that appends remembers nothing", func() (bool, any) {
		if other.feed.Remembers(tenant, head-1) {
			return true, nil
		}
		head = f.Grow(other.store, tenant, 1)
		return false, head
	})

	var ended []int32
	if err := admin.QueryRow(t.Context(), `select array_agg(pid) from (select pid, pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and query = 'listen "docket_news"') as s`).Scan(&ended); err != nil {
		t.Fatal(err)
	}
	tenanttest.Until(t, admin, `select not exists (select from pg_stat_activity where pid = any($1))`, ended)
	f.listening(admin, 2)
	r.wantsReached(tenant, f.Grow(other.store, tenant, 1), "a")
	// A server that has taken the other's place may lack what was appended before.
	tenanttest.Eventually(t, "it remembers what it had before the server that it lost", func() (bool, any) {
		return !other.feed.Remembers(tenant, head-1), head - 1
	})
}

// A server that changes while the Feed only begins to listen: the connection may lead to the
// one before, so it isn't used.
func TestServerChangesBeforeTheFeedListens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	r := f.replica(feed.Config{Sweep: never})
	var taken []*pgxpool.Conn
	release := sync.OnceFunc(func() {
		for _, c := range taken {
			c.Release()
		}
	})
	defer release()
	for range r.engine.Config().MaxConns {
		c, err := r.engine.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, c)
	}
	r.subscribe("a", ignore)
	tenanttest.Eventually(t, "the first step of listening doesn't end", func() (bool, any) {
		r.feed.ServerChanged()
		log := r.warnings.String()
		return strings.Contains(log, "the database server is another one"), log
	})
	release()
	r.wantsReached(tenant, f.Grow(f.Store, tenant, 1), "a") // by the sweep when it listens
}

// NOTIFYs that aren't ours do no harm.
func TestStrangeNotifications(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	r := f.replica(feed.Config{Sweep: never})
	r.subscribe("a", ignore)
	other := f.replica(feed.Config{Sweep: never})
	other.subscribe("b", ignore)
	f.listening(tenanttest.Session(t, f.DB.EngineURL), 2)
	for _, payload := range []string{"", " ", ",,", "x y,z", "x " + tenant.String()[:20]} {
		if _, err := f.Engine.Exec(t.Context(), `select pg_notify('docket_news', $1)`, payload); err != nil {
			t.Fatal(err)
		}
	}
	r.wantsReached(tenant, f.Grow(other.store, tenant, 1), "a")
}
