package feed_test

import (
	"context"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
)

// A replica advances its position past ignored events only while its own fold version fills
// the rows: before the switch. The switch notifies the replica, which then neither advances
// nor handles any event.
func TestSkippingEndsWithTheFlip(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	r := f.replica(feed.Config{
		Interests: map[string]feed.Interest{"rows": {FoldVersion: 1, Handles: func(domain.Recorded) bool { return false }}},
	})
	if err := r.feed.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.subscribe("rows", write)
	head := f.Grow(r.store, tenant, 3)
	r.wantsReached(tenant, head, "rows")
	tenanttest.Until(t, f.Engine, `select seq = $2 and fold_version = 1 from checkpoints where subscription = 'rows' and tenant_id = $1`, tenant.UUID(), head)
	head = f.Grow(r.store, tenant, 3) // known from memory
	r.wantsReached(tenant, head, "rows")

	builds, err := feed.OpenBuilds(t.Context(), f.Engine, tenant, "a newer one")
	if err != nil {
		t.Fatal(err)
	}
	defer builds.Close()
	if _, err := builds.Supersede(t.Context(), "rows", 1); err == nil {
		t.Fatal("built what is complete and of this version")
	}
	build, err := builds.Supersede(t.Context(), "rows", 2)
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(context.Context, *feed.Page) error { return nil }
	if _, err := build.Page(t.Context(), 100, nothing); err != nil {
		t.Fatal(err)
	}
	if err := build.Switch(t.Context(), 100, nothing); err != nil {
		t.Fatal(err)
	}
	builds.Close()
	builds, err = feed.OpenBuilds(t.Context(), f.Engine, tenant, "an older one")
	if err != nil {
		t.Fatal(err)
	}
	defer builds.Close()
	if _, err := builds.Supersede(t.Context(), "rows", 1); err == nil {
		t.Fatal("built downwards")
	}

	// When it has been told of the flip, which comes by a NOTIFY.
	other := f.Tenant()
	f.Grow(r.store, other, 1)
	tenanttest.Eventually(t, "it still claims to have reached the head", func() (bool, any) {
		return !r.positions.Reached(tenant, head, "rows"), head
	})
	at, handled := build.Seq(), f.written("rows", tenant)
	for range 20 {
		f.Grow(r.store, tenant, 1)
	}
	// It has looked at what there is since: another tenant's checkpoint has gone on, twice.
	var otherHead int64
	for range 2 {
		otherHead = f.Grow(r.store, other, 1)
		tenanttest.Until(t, f.Engine, `select seq = $2 from checkpoints where subscription = 'rows' and tenant_id = $1`, other.UUID(), otherHead)
	}
	if r.positions.Reached(tenant, at+1, "rows") {
		t.Error("it claims positions for another version's rows")
	}
	if n := f.written("rows", tenant); n != handled {
		t.Errorf("it has handled %d events after the flip", n-handled)
	}
	if r.wantsSaid("left to a newer version", 1) > 1 {
		t.Errorf("it logged\n%s", r.warnings.String())
	}
	f.wantsUntroubled("rows", tenant, at)
	r.wantsReached(other, otherHead, "rows")
}
