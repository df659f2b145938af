package feed_test

import (
	"context"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
)

// Events that a subscription has no use for are known to be passed at once; its
// checkpoint follows, with all of them; and what it has use for is handled as ever,
// each event once.
func TestSkippedEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	wanted := newStream(t)
	r := f.replica(feed.Config{Interests: map[string]feed.Interest{
		"filtering": {Handles: func(e domain.Recorded) bool { return e.Stream == wanted }},
	}})
	r.subscribe("filtering", write)
	r.subscribe("greedy", write)
	head := f.Grow(r.store, tenant, 1)
	r.wantsReached(tenant, head, "filtering", "greedy")

	version := 0
	for range 5 {
		head = f.Grow(r.store, tenant, 7)
		r.wantsReached(tenant, head, "filtering", "greedy")
		head = f.Append(r.store, commit(t, part(tenant, wanted, version, 1))).Seq(tenant)
		version++
		r.wantsReached(tenant, head, "filtering", "greedy")
		if n := f.written("filtering", tenant); int64(n) != head {
			t.Fatalf("%d events were handled before the wanted one was told of, want %d", n, head)
		}
	}
	head = f.Grow(r.store, tenant, 7)
	r.wantsReached(tenant, head, "filtering")
	tenanttest.Until(t, f.Engine, `select seq = $2 from checkpoints where subscription = 'filtering' and tenant_id = $1`, tenant.UUID(), head)
	if n := f.written("filtering", tenant); int64(n) != head {
		t.Errorf("%d events were handled, want %d", n, head)
	}
	f.wantsUntroubled("filtering", tenant, head)
}

// What another replica appends isn't skipped unseen, and what a replica skips the
// other doesn't miss.
func TestSkippingOnTwoReplicas(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	wanted := newStream(t)
	cfg := feed.Config{Interests: map[string]feed.Interest{
		"filtering": {Handles: func(e domain.Recorded) bool { return e.Stream == wanted }},
	}}
	one, two := f.replica(cfg), f.replica(cfg)
	for _, r := range []*replica{one, two} {
		r.subscribe("filtering", write)
	}
	version := 0
	for i := range 20 {
		by, other := one, two
		if i%3 == 0 {
			by, other = two, one
		}
		f.Grow(by.store, tenant, 3)
		head := f.Append(other.store, commit(t, part(tenant, wanted, version, 1))).Seq(tenant)
		version++
		if i%2 == 0 {
			head = f.Grow(by.store, tenant, 2)
		}
		one.wantsReached(tenant, head, "filtering")
		two.wantsReached(tenant, head, "filtering")
		n := 0
		if err := f.Engine.QueryRow(context.Background(), `select count(*) from journal j join events e using (tenant_id, seq)
where j.subscription = 'filtering' and j.tenant_id = $1 and e.stream_id = $2`, tenant.UUID(), wanted.ID).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n != version {
			t.Fatalf("%d of the wanted events were handled, want %d", n, version)
		}
	}
}
