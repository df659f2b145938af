package feed_test

import (
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"docket/domain"
)

// Every event comes once and in order, whatever the page size, while several
// replicas share the work and appends go on.
func TestFeedDeliversOnceAndInOrder(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 3, 500} {
		for _, replicas := range []int{1, 3} {
			t.Run(fmt.Sprintf("pages of %d on %d replicas", size, replicas), func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.journal()
				tenants := []domain.TenantID{f.Tenant(), f.Tenant(), f.Tenant(), f.Tenant()}
				for _, tenant := range tenants {
					f.Grow(f.Store, tenant, 10)
				}
				var all []*replica
				for range replicas {
					r := f.replica(feed.Config{PageSize: size, Workers: 3})
					for _, name := range []string{"a", "b"} {
						r.subscribe(name, write)
					}
					all = append(all, r)
				}
				var writers sync.WaitGroup
				for n := range 8 {
					writers.Go(func() { f.Grow(all[n%replicas].store, tenants[n%len(tenants)], 20) })
				}
				writers.Wait()
				for _, tenant := range tenants {
					log := f.WantsOrderly(tenant)
					head := log[len(log)-1].Seq
					for _, name := range []string{"a", "b"} {
						all[0].wantsReached(tenant, head, name)
						if n := f.written(name, tenant); n != len(log) {
							t.Errorf("%s has written %d events of %d", name, n, len(log))
						}
						f.wantsUntroubled(name, tenant, head)
					}
				}
			})
		}
	}
}

// A page has at most PageSize events, and what a message says of itself.
func TestPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	head := f.Grow(f.Store, tenant, 9)
	r := f.replica(feed.Config{PageSize: 4})
	sizes := make(chan int, 10)
	r.subscribe("a", func(_ context.Context, p *feed.Page) error {
		if p.Tenant == tenant {
			sizes <- len(p.Events)
		}
		if p.Subscription != "a" || p.Generation != 1 {
			t.Errorf("got %+v", p)
		}
		return nil
	})
	r.wantsReached(tenant, head, "a")
	for _, want := range []int{4, 4, 2} {
		if got := <-sizes; got != want {
			t.Errorf("got a page of %d events, want %d", got, want)
		}
	}
}

// What a handler queues is carried out in its order, with the checkpoint, and a build's
// in its page.
func TestQueuedStatements(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	queue := func(ctx context.Context, p *feed.Page) error {
		for _, setting := range [][2]string{{"synchronous_commit", "off"}, {"plan_cache_mode", "force_generic_plan"}} {
			var got string
			if err := p.Tx.QueryRow(ctx, `select current_setting($1)`, setting[0]).Scan(&got); err != nil || got != setting[1] {
				t.Errorf("%s is %s, want %s: %v", setting[0], got, setting[1], err)
			}
		}
		for _, e := range p.Events {
			// The one before is there.
			p.Queue(`insert into journal select $1::text, $2::uuid, $3::bigint where $3::bigint = 1 or exists (
  select from journal where subscription = $1::text and tenant_id = $2::uuid and seq = $3::bigint - 1)`, p.Subscription, p.Tenant.UUID(), e.Seq)
		}
		return nil
	}
	r := f.replica(feed.Config{PageSize: 3})
	head := f.Grow(r.store, tenant, 10)
	r.subscribe("a", queue)
	r.wantsReached(tenant, head, "a")
	if n := f.written("a", tenant); int64(n) != head {
		t.Errorf("%d events were written, want %d", n, head)
	}
	f.wantsUntroubled("a", tenant, head)

	build, err := tenanttest.StartBuild(t.Context(), f.Engine, tenant, "b", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer build.Close()
	for n := 4; n == 4; {
		if n, err = build.Page(t.Context(), 4, queue); err != nil {
			t.Fatal(err)
		}
		if n := f.written("b", tenant); int64(n) != build.Seq() {
			t.Errorf("%d events were written, and the build is at %d", n, build.Seq())
		}
	}
	if build.Seq() != head {
		t.Errorf("the build is at %d, want %d", build.Seq(), head)
	}
}

// One tenant's slow page doesn't keep others waiting, and a tenant's pages never overlap.
func TestTenantsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	slow, quick := f.Tenant(), f.Tenant()
	entered, release := make(chan struct{}), make(chan struct{})
	var inside atomic.Int32
	var once sync.Once
	handler := func(ctx context.Context, p *feed.Page) error {
		if p.Tenant != slow {
			return nil
		}
		if inside.Add(1) != 1 {
			t.Error("two pages of one tenant at once")
		}
		defer inside.Add(-1)
		once.Do(func() { close(entered) })
		select {
		case <-release:
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	alone := feed.Config{PageSize: 1, Workers: 1}
	one, two := f.replica(alone), f.replica(alone) // one of them is held up, the other isn't
	one.subscribe("a", handler)
	two.subscribe("a", handler)
	head := f.Grow(one.store, slow, 3)
	<-entered
	for range 5 {
		one.wantsReached(quick, f.Grow(two.store, quick, 3), "a")
	}
	close(release)
	one.wantsReached(slow, head, "a")
	// No worker has waited for a lock until the session's lock timeout.
	for _, r := range []*replica{one, two} {
		if text := r.warnings.String(); text != "" {
			t.Errorf("warnings:\n%s", text)
		}
	}
}

func TestSubscribeAfterClose(t *testing.T) {
	t.Parallel()
	r := newFixture(t).replica(feed.Config{})
	r.close()
	r.close()
	if _, err := r.feed.Subscribe(t.Context(), "a"); !errors.Is(err, feed.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

// A subscription ends with its context; the others of the Feed go on.
func TestSubscriptionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	r := f.replica(feed.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	messages, err := r.feed.Subscribe(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	r.subscribe("b", func(context.Context, *feed.Page) error { return nil })
	cancel()
	for m := range messages { // one may have been on its way; then the channel is closed
		m.Ack()
	}
	r.wantsReached(tenant, f.Grow(r.store, tenant, 3), "b")
}

// While an append to a tenant's log isn't committed, its readers see nothing of
// it and no other tenant waits. Nothing is skipped when it is.
func TestOverlappingTransactions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	held, free := f.Tenant(), f.Tenant()
	r := f.replica(feed.Config{})
	r.subscribe("a", write)
	r.wantsReached(held, 1, "a")

	// A snapshot that stays open, as a backup has it, changes nothing below.
	snapshot, err := f.Engine.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Rollback(t.Context())
	if _, err := snapshot.Exec(t.Context(), `set transaction isolation level repeatable read; select from events`); err != nil {
		t.Fatal(err)
	}

	stream, admin := newStream(t), tenanttest.Session(t, f.DB.EngineURL)
	tx, err := f.Engine.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	// What the append function does for two events, in a transaction that stays open.
	if _, err := tx.Exec(t.Context(), `select from tenant_logs where tenant_id = $1 for no key update`, held.UUID()); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `insert into events
select $1, 1 + n, 'task', $2, n, 'task.updated', 1, clock_timestamp(), null, $3, '{"title":"x"}', '{}' from generate_series(1, 2) n`,
		held.UUID(), newStream(t).ID, tenanttest.NewID[domain.CommandID](t).UUID()); err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() { second <- f.AppendAtLast(r.store, commit(t, part(held, stream, 0, 1))) }()
	tenanttest.Until(t, admin, `select count(*) = 1 from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'`)

	r.wantsReached(free, f.Grow(r.store, free, 5), "a")
	r.wantsReached(held, 1, "a")
	if n := f.written("a", held); n != 1 {
		t.Errorf("%d events of the held log were delivered, want 1", n)
	}
	if log := f.Log(held); len(log) != 1 {
		t.Errorf("a reader sees %d events of the held log, want 1", len(log))
	}
	if events, err := tenanttest.Load(t.Context(), f.Store, held, stream, 0); err != nil || len(events) != 0 {
		t.Errorf("a stream of the held log has %v (%v)", events, err)
	}

	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	r.wantsReached(held, 4, "a")
	log := f.WantsOrderly(held)
	if n := f.written("a", held); n != 4 || len(log) != 4 {
		t.Errorf("%d of %d events were delivered, want 4", n, len(log))
	}
	if last := log[3]; last.Stream != stream {
		t.Errorf("the one that waited isn't last: %+v", last)
	}
}
