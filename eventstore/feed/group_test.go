package feed_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
)

// grouped is a replica whose subscriptions a, b and c share pages, and what it handled.
type grouped struct {
	*replica
	mu     sync.Mutex
	shared [][]string // by shared page: its members
	alone  []string   // by page of a member's own: the member
	fail   func(p *feed.Page) error
	handle func(context.Context, *feed.Page) error // write if not set
}

func (f *fixture) grouped(cfg feed.Config) *grouped {
	f.T.Helper()
	members := []string{"a", "b", "c"}
	cfg.Groups = map[string][]string{"group": members}
	cfg.Interests = map[string]feed.Interest{}
	for _, m := range members {
		cfg.Interests[m] = feed.Interest{FoldVersion: 1, NoMeta: true}
	}
	g := &grouped{replica: f.replica(cfg), fail: func(*feed.Page) error { return nil }, handle: write}
	handle := func(ctx context.Context, p *feed.Page) error {
		g.mu.Lock()
		err := g.fail(p)
		g.mu.Unlock()
		if err != nil {
			return err
		}
		return g.handle(ctx, p)
	}
	g.subscribeWith("group", feed.HandleGroup(func(ctx context.Context, pages []*feed.Page) error {
		var names []string
		for _, p := range pages {
			names = append(names, p.Subscription)
			if err := handle(ctx, p); err != nil {
				return err
			}
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.shared = append(g.shared, names)
		return nil
	}))
	for _, m := range members {
		g.subscribe(m, func(ctx context.Context, p *feed.Page) error {
			g.mu.Lock()
			g.alone = append(g.alone, p.Subscription)
			g.mu.Unlock()
			return handle(ctx, p)
		})
	}
	return g
}

// Members that stand at the same seq share a page, and each handles each event once.
func TestGroupSharesPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	g := f.grouped(feed.Config{Sweep: never})
	g.wantsReached(tenant, 1, "a", "b", "c") // each makes its checkpoint alone
	head := f.Grow(g.store, tenant, 20)
	g.wantsReached(tenant, head, "a", "b", "c")
	g.mu.Lock()
	defer g.mu.Unlock()
	all := 0
	for _, members := range g.shared {
		if slices.Sort(members); slices.Equal(members, []string{"a", "b", "c"}) {
			all++
		}
	}
	if all == 0 {
		t.Errorf("no page was shared by a, b and c, but by %v; alone went %v", g.shared, g.alone)
	}
	for _, m := range []string{"a", "b", "c"} {
		f.wantsUntroubled(m, tenant, head)
		if n := f.written(m, tenant); n != int(head) {
			t.Errorf("%s handled %d events of %d", m, n, head)
		}
	}
}

// A member that fails parks alone; the others handle the same events, and share the
// pages that follow.
func TestGroupParksOnlyTheMemberThatFails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	g := f.grouped(feed.Config{})
	g.wantsReached(tenant, 1, "a", "b", "c")
	bad := int64(2)
	g.mu.Lock()
	g.fail = func(p *feed.Page) error {
		if p.Subscription == "b" && slices.ContainsFunc(p.Events, func(e domain.Recorded) bool { return e.Seq == bad }) {
			return errors.New("b can't fold it")
		}
		return nil
	}
	g.mu.Unlock()
	f.Grow(g.store, tenant, 1)
	g.wantsReached(tenant, bad, "a", "c")
	f.parked("b", tenant, 1)
	g.mu.Lock()
	g.shared = nil
	g.mu.Unlock()
	head := f.Grow(g.store, tenant, 5)
	g.wantsReached(tenant, head, "a", "c")
	for _, m := range []string{"a", "c"} {
		f.wantsUntroubled(m, tenant, head)
	}
	if c := f.checkpoint("b", tenant); c.Seq != bad-1 || c.Failures == 0 {
		t.Errorf("b's checkpoint is %+v, want it parked at %d", c, bad-1)
	}
	g.mu.Lock()
	for _, members := range g.shared {
		if slices.Contains(members, "b") {
			t.Errorf("a parked member shared a page: %v", members)
		}
	}
	g.fail = func(*feed.Page) error { return nil }
	g.mu.Unlock()
	f.due("b", tenant)
	g.wantsReached(tenant, head, "b")
	if n := f.written("b", tenant); n != int(head) {
		t.Errorf("b handled %d events of %d", n, head)
	}
}

// A member with an event to skip, or whose generation another version fills, shares no page.
func TestGroupLeavesOutWhoCannotShare(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	g := f.grouped(feed.Config{Sweep: never})
	g.handle = func(_ context.Context, p *feed.Page) error {
		if p.Subscription == "b" && slices.ContainsFunc(p.Events, func(e domain.Recorded) bool { return e.Seq == 3 }) {
			t.Error("b got the event that it skips")
		}
		return nil
	}
	g.wantsReached(tenant, 1, "a", "b", "c")
	if _, err := f.Engine.Exec(t.Context(), `insert into skips (tenant_id, subscription, seq, recorded) values ($1, 'b', 3, 4)`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Engine.Exec(t.Context(), `update checkpoints set fold_version = 2 where tenant_id = $1 and subscription = 'c'`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	g.shared = nil
	g.mu.Unlock()
	head := f.Grow(g.store, tenant, 4)
	g.wantsReached(tenant, head, "a")
	g.mu.Lock()
	for _, members := range g.shared {
		if slices.Contains(members, "c") {
			t.Errorf("a page was shared by %v, and another version fills c", members)
		}
	}
	g.mu.Unlock()
	if c := f.checkpoint("c", tenant); c.Seq != 1 {
		t.Errorf("c stands at %d, want 1: its rows are another version's", c.Seq)
	}
	g.wantsReached(tenant, head, "b")
}
