package feed_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
)

// corrupted is the condition by which Postgres tells of a page of a table that makes no sense.
const corrupted = "data_corrupted"

// unreadable is damage to events, for the engine role.
func (f *fixture) unreadable(condition string, seq int64, tenants ...domain.TenantID) (cure func()) {
	f.T.Helper()
	return f.damage(condition, "events", "docket_engine", seq, tenants...)
}

// damage has Postgres fail with a condition whenever a role looks at a row of a table with a
// seq of these tenants; cure ends that.
func (f *fixture) damage(condition, table, role string, seq int64, tenants ...domain.TenantID) (cure func()) {
	f.T.Helper()
	owner := f.DB.Owner(f.T)
	do := func(sql string) {
		f.T.Helper()
		if _, err := owner.Exec(f.T.Context(), sql); err != nil {
			f.T.Fatal(err)
		}
	}
	names := make([]string, len(tenants))
	for i, tenant := range tenants {
		names[i] = tenant.String()
	}
	do(fmt.Sprintf(`create function readable(tenant_id uuid, seq bigint) returns boolean language plpgsql as $$
begin
  if seq = %d and tenant_id::text = any (string_to_array('%s', ',')) then
    raise exception 'invalid page in block 7' using errcode = '%s';
  end if;
  return true;
end $$`, seq, strings.Join(names, ","), condition))
	// As in a table that has grown: whole tables of a few rows are looked at otherwise.
	do(`do $$ declare setting text; begin
  foreach setting in array array['enable_seqscan', 'enable_bitmapscan', 'enable_sort'] loop
    execute format('alter database %I set %s = off', current_database(), setting);
  end loop;
end $$`)
	do(fmt.Sprintf(`create policy damaged on %s as restrictive for select to %s using (readable(tenant_id, seq))`, table, role))
	return func() { do(`drop policy damaged on ` + table) }
}

// An event that the database can't read parks its tenant, even if the subscription ignores
// it. Other tenants don't wait, and the event can be skipped.
func TestUnreadableEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	sick, well := f.Tenant(), f.Tenant()
	const bad = 7
	head := f.Grow(f.Store, sick, 11)
	cure := f.unreadable(corrupted, bad, sick)
	r := f.replica(feed.Config{PageSize: 100, Interests: map[string]feed.Interest{
		"b": {Ignores: []string{"task.updated"}},
	}})
	r.subscribe("a", write)
	r.subscribe("b", write)
	for subscription, written := range map[string]int{"a": bad - 1, "b": 1} {
		c := f.parked(subscription, sick, 1)
		if c.Seq != bad-1 || c.Error == nil || !strings.Contains(*c.Error, "invalid page in block 7") {
			t.Errorf("the checkpoint of %s is %+v, want it before event %d", subscription, c, bad)
		}
		if n := f.written(subscription, sick); n != written {
			t.Errorf("%s wrote %d events before the bad one, want %d", subscription, n, written)
		}
		s, err := feed.StatusOf(t.Context(), r.engine, subscription)
		if err != nil || len(s.Parked) != 1 || s.Parked[0].Seq != bad || s.Lag <= 0 {
			t.Errorf("%s stands as %+v: %v", subscription, s, err)
		}
	}
	r.wantsReached(well, f.Grow(r.store, well, 5), "a", "b")

	if _, err := feed.NewParking(f.Engine).Skip(t.Context(), sick, "b",
		func(context.Context, feed.Parked) (int64, error) { return head, nil }); err != nil {
		t.Fatal(err)
	}
	r.wantsReached(sick, head, "b")
	if c := f.checkpoint("a", sick); c.Seq != bad-1 {
		t.Errorf("where no operator skipped the event, the checkpoint is %+v", c)
	}

	cure()
	f.due("a", sick)
	r.wantsReached(sick, head, "a")
	f.wantsUntroubled("a", sick, head)
	if n := f.written("a", sick); int64(n) != head {
		t.Errorf("%d events were written, want %d", n, head)
	}
}

// Where not even tenants' checkpoints and the ends of their logs can be read they are left
// alone for a while, longer each time, and the subscription's worker goes on with the others.
func TestTenantsThatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	well := f.Tenant()
	var sick []domain.TenantID
	heads := map[domain.TenantID]int64{}
	for range 8 {
		tenant := f.Tenant()
		sick, heads[tenant] = append(sick, tenant), f.Grow(f.Store, tenant, 2)
	}
	cure := f.unreadable(corrupted, 3, sick...)
	r := f.replica(feed.Config{Workers: 1, Sweep: never})
	r.subscribe("a", write)
	const failed = "page not handled"
	tell := func() {
		for _, tenant := range sick {
			r.feed.Mark(tenant) // as if it grew
		}
	}
	tell()
	r.wantsSaid(failed, len(sick))
	const rounds = 40
	before := strings.Count(r.warnings.String(), failed)
	for range rounds {
		tell()
		r.wantsReached(well, f.Grow(r.store, well, 1), "a")
	}
	// Were the worker to pause as long as the tenants, or they no longer than it, there
	// would be one in each round at least.
	if n := strings.Count(r.warnings.String(), failed) - before; n >= rounds {
		t.Errorf("in %d rounds of a tenant that is well the others were tried %d times", rounds, n)
	}
	cure()
	for _, tenant := range sick {
		r.wantsReached(tenant, heads[tenant], "a")
	}
}

// What looks at all tenants together leaves out the one of which something is unreadable,
// and finds what there is of the others.
func TestAllButTheUnreadable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenants := []domain.TenantID{f.Tenant(), f.Tenant(), f.Tenant(), f.Tenant(), f.Tenant()}
	sick := tenants[3]
	heads := map[domain.TenantID]int64{}
	for _, tenant := range tenants {
		heads[tenant] = f.Grow(f.Store, tenant, 2) // which tells no Feed of it
	}
	cure := f.unreadable(corrupted, heads[sick], sick)
	r := f.replica(feed.Config{})
	r.subscribe("a", write)
	for _, tenant := range tenants {
		if tenant != sick {
			r.wantsReached(tenant, heads[tenant], "a")
		}
	}
	r.wantsSaid("page not handled", 1)

	if _, err := f.Engine.Exec(t.Context(), `update checkpoints set fold_version = 1`); err != nil {
		t.Fatal(err)
	}
	needs, err := feed.PendingBuilds(t.Context(), r.engine, map[string]int{"a": 2})
	if err != nil || len(needs) != len(tenants)-1 {
		t.Errorf("%d builds are needed of %d tenants: %v", len(needs), len(tenants), err)
	}
	for _, n := range needs {
		if n.Tenant == sick {
			t.Error("one of them of the unreadable")
		}
	}

	cure()
	r.wantsReached(sick, heads[sick], "a")
}

// A server that can't read at all is no event's failure: no tenant is parked, and the page is
// retried until it works. (For a page that writes, the cause of a full disk or memory is
// unknown.)
func TestServerThatCannotReadParksNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	head := f.Grow(f.Store, tenant, 5)
	cure := f.unreadable("out_of_memory", 3, tenant)
	r := f.replica(feed.Config{})
	r.subscribe("a", write)
	r.wantsSaid("page not handled", 3)
	f.wantsUntroubled("a", tenant, 0)
	cure()
	r.wantsReached(tenant, head, "a")
}
