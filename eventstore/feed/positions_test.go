package feed_test

import (
	"context"
	"flag"
	"runtime"
	"sync"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/postgres"
	"docket/internal/tenanttest"

	"github.com/google/uuid"
)

// Await answers for what this replica did, for what another did, for several
// subscriptions at once, and says no when the time is over.
func TestAwait(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	here, there := f.replica(feed.Config{}), f.replica(feed.Config{})
	here.subscribe("mine", ignore)
	there.subscribe("theirs", ignore)
	head := f.Grow(here.store, tenant, 3)
	here.wantsReached(tenant, head, "mine")
	here.wantsReached(tenant, head, "theirs")
	here.wantsReached(tenant, head, "mine", "theirs")
	here.wantsReached(tenant, head-1, "theirs", "mine")

	for name, c := range map[string]struct {
		tenant domain.TenantID
		seq    int64
		on     []string
	}{
		"beyond the head":         {tenant, head + 1, []string{"mine"}},
		"one of two isn't there":  {tenant, head, []string{"mine", "missing"}},
		"missing":                 {tenant, 1, []string{"missing"}},
		"another tenant":          {tenanttest.NewID[domain.TenantID](t), 1, []string{"mine"}},
		"beyond the head, theirs": {tenant, head + 1, []string{"theirs"}},
	} {
		ctx, cancel := withPatience(t)
		if here.positions.Await(ctx, c.tenant, c.seq, c.on...) {
			t.Errorf("%s: it was reached", name)
		}
		cancel()
	}
	// Before the first event every reader is up to date.
	if !here.positions.Await(t.Context(), tenanttest.NewID[domain.TenantID](t), 0, "missing") {
		t.Error("seq 0 wasn't reached")
	}
}

// The position is that of the generation that is read.
func TestAwaitReadsTheLiveGeneration(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	for _, sql := range []string{
		`insert into checkpoints (tenant_id, subscription, generation, seq) values ($1, 'a', 1, 9), ($1, 'a', 2, 5), ($1, 'a', 3, 7)`,
		`insert into generations values ($1, 'a', 2)`,
	} {
		if _, err := f.Engine.Exec(t.Context(), sql, tenant.UUID()); err != nil {
			t.Fatal(err)
		}
	}
	p := feed.NewPositions(f.API)
	if !p.Await(t.Context(), tenant, 5, "a") {
		t.Fatal("the context ended")
	}
	ctx, cancel := withPatience(t)
	defer cancel()
	if p.Await(ctx, tenant, 6, "a") {
		t.Error("a generation that isn't read counted")
	}
}

// One connection is enough for any number of requests that wait for one tenant, and a
// request that leaves early doesn't disturb the others.
func TestManyWaitersShareOneLook(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	p := feed.NewPositions(f.API)
	before := f.API.Stat()
	var wait sync.WaitGroup
	gone, leave := context.WithCancel(t.Context())
	for range 100 {
		wait.Go(func() {
			if !p.Await(t.Context(), tenant, 1, "a") {
				t.Error("the context ended")
			}
		})
		wait.Go(func() {
			if p.Await(gone, tenant, 1, "never") {
				t.Error("it was reached")
			}
		})
	}
	tenanttest.Eventually(t, "fewer than five looks were made, which find nothing", func() (bool, any) {
		looks := f.API.Stat().AcquireCount() - before.AcquireCount()
		return looks >= 5, looks
	})
	leave()
	if _, err := f.Engine.Exec(t.Context(), `insert into checkpoints (tenant_id, subscription, generation, seq) values ($1, 'a', 1, 1)`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	wait.Wait()
	after := f.API.Stat()
	if after.TotalConns() > 1 || after.NewConnsCount() != before.NewConnsCount() {
		t.Errorf("200 waiters used %d connections, and %d new ones", after.TotalConns(), after.NewConnsCount()-before.NewConnsCount())
	}
}

// Requests of many tenants share the looks: one connection serves all, and each hears of its
// own tenant's checkpoints only.
func TestTenantsShareLooks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := feed.NewPositions(f.API)
	tenants := make([]domain.TenantID, 250)
	ids := make([]uuid.UUID, len(tenants))
	for i := range tenants {
		tenants[i] = tenanttest.NewID[domain.TenantID](t)
		ids[i] = tenants[i].UUID()
	}
	var reached, all sync.WaitGroup
	impatient, leave := context.WithCancel(t.Context())
	defer leave()
	for i, tenant := range tenants {
		reached.Go(func() {
			if !p.Await(t.Context(), tenant, int64(i+1), "a") {
				t.Error("the context ended")
			}
		})
		all.Go(func() {
			if p.Await(impatient, tenant, int64(i+2), "a") {
				t.Errorf("tenant %d has the position of another", i)
			}
		})
	}
	if _, err := f.Engine.Exec(t.Context(), `insert into checkpoints (tenant_id, subscription, generation, seq)
select id, 'a', 1, n from unnest($1::uuid[]) with ordinality as t (id, n)`, ids); err != nil {
		t.Fatal(err)
	}
	reached.Wait()
	leave()
	all.Wait()
	if n := f.API.Stat().TotalConns(); n > 1 {
		t.Errorf("%d connections were used", n)
	}
}

// A tenant whose checkpoints can't be read delays only its own requests.
func TestUnreadableTenantSharesNoLook(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenants := []domain.TenantID{f.Tenant(), f.Tenant(), f.Tenant(), f.Tenant(), f.Tenant()}
	sick := tenants[3]
	for _, tenant := range tenants {
		if _, err := f.Engine.Exec(t.Context(), `insert into checkpoints (tenant_id, subscription, generation, seq) values ($1, 'a', 1, 1)`, tenant.UUID()); err != nil {
			t.Fatal(err)
		}
	}
	f.damage(corrupted, "checkpoints", "docket_api", 1, sick)
	p := feed.NewPositions(f.API)
	sickly, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer leave()
	all.Go(func() {
		if p.Await(sickly, sick, 1, "a") {
			t.Error("the unreadable checkpoint was read")
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), tenanttest.MaxWait)
	defer cancel()
	var others sync.WaitGroup
	for _, tenant := range tenants {
		if tenant != sick {
			others.Go(func() {
				if !p.Await(ctx, tenant, 1, "a") {
					t.Errorf("tenant %s waits with the unreadable one", tenant)
				}
			})
		}
	}
	others.Wait()
}

// Who stops waiting in the middle of a look doesn't cost the pool a connection.
func TestLeavingEarlyKeepsConnections(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	// A look that outlives its waiters may overlap with the next one's, which then waits.
	api, err := postgres.Pool(t.Context(), f.DB.APIURL, postgres.PoolConfig{Role: postgres.APIRole, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	p := feed.NewPositions(api)
	before := api.Stat().NewConnsCount()
	for range 30 {
		ctx, leave := context.WithCancel(t.Context())
		looks := api.Stat().AcquireCount()
		left := make(chan bool)
		go func() { left <- p.Await(ctx, tenant, 1, "never") }()
		for api.Stat().AcquireCount() == looks { // until a look is on its way
			runtime.Gosched()
		}
		leave()
		<-left
	}
	if n := api.Stat().NewConnsCount() - before; n > 0 {
		t.Errorf("%d new connections for 30 who left early", n)
	}
}

var ownWrites = flag.Int("ownwrites.rounds", 100, "how often TestReadYourOwnWrites writes and reads")

// One writes many times, and each time reads, on another connection, what its
// subscription made of it: every write is seen.
func TestReadYourOwnWrites(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant, busy, stream := f.Tenant(), f.Tenant(), newStream(t)
	r := f.replica(feed.Config{Sweep: never})
	for _, name := range []string{"a", "b", "c"} {
		r.subscribe(name, write)
	}
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() {
		for ctx.Err() == nil {
			f.Grow(r.store, busy, 1)
		}
	})
	defer others.Wait()
	defer stop()
	for i := range *ownWrites {
		seq := f.Append(r.store, commit(t, part(tenant, stream, i, 1))).Seq(tenant)
		r.wantsReached(tenant, seq, "a", "b", "c")
		var seen int
		err := f.Engine.QueryRow(t.Context(), `select count(*) from journal where tenant_id = $1 and seq = $2`, tenant.UUID(), seq).Scan(&seen)
		if err != nil || seen != 3 {
			t.Fatalf("write %d is seen by %d subscriptions of 3 (%v)", i, seen, err)
		}
	}
}

// A replica on which nothing runs, such as one that only serves, waits for others.
func TestReadYourOwnWritesAcrossReplicas(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	worker, server := f.replica(feed.Config{}), f.replica(feed.Config{})
	worker.subscribe("a", write)
	for range 20 {
		seq := f.Grow(server.store, tenant, 1)
		server.wantsReached(tenant, seq, "a")
		if n := f.written("a", tenant); int64(n) < seq {
			t.Fatalf("%d events are there, want %d", n, seq)
		}
	}
}
