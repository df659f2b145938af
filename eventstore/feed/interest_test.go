package feed_test

import (
	"context"
	"slices"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

// filtering is the Config of a subscription that ignores deletions of tasks.
func filtering() feed.Config {
	return feed.Config{PageSize: 4, Interests: map[string]feed.Interest{"filtering": {Ignores: []string{"task.deleted"}}}}
}

// Kinds of events in a log.
const (
	wanted   = "wanted"
	ignored  = "ignored"
	broken   = "broken, and ignored"
	newer    = "of an ignored type, and of a newer version"
	left     = "broken, and left out by an operator"
	single   = "handled by itself only"
	damaged  = "broken"
	archived = "of a type that isn't known"
)

// kinds writes a log of such events after a tenant's first, and returns the seqs of those
// that a subscription is to be given.
func (f *fixture) kinds(tenant domain.TenantID, subscription string, kinds []string) (wants []int64) {
	f.T.Helper()
	wants = []int64{1}
	for i, kind := range kinds {
		e := tenanttest.RawEvent{Tenant: tenant, Seq: int64(i + 2), Stream: newStream(f.T), Version: 1, EventType: "task.updated"}
		switch kind {
		case wanted, single:
			wants = append(wants, e.Seq)
		case ignored:
			e.EventType = "task.deleted"
		case broken:
			e.EventType, e.Data = "task.deleted", `{"title": 7}`
		case newer:
			e.EventType, e.Schema = "task.deleted", 2
		case left, damaged:
			e.Data = `{"title": 7}`
		case archived:
			e.EventType = "task.archived"
		}
		f.Raw(e)
		if kind == left {
			if _, err := f.Engine.Exec(f.T.Context(), `insert into skips (tenant_id, subscription, seq, recorded) values ($1, $2, $3, $4)`,
				tenant.UUID(), subscription, e.Seq, e.Seq+1); err != nil {
				f.T.Fatal(err)
			}
		}
	}
	return wants
}

// laterThanLogs has a subscription count as one that began after every log: it is
// complete only when it has come to a log's end.
func (f *fixture) laterThanLogs(subscription string) {
	f.T.Helper()
	if _, err := f.Engine.Exec(f.T.Context(), `insert into subscriptions (name, since) values ($1, now() + interval '1 day')`, subscription); err != nil {
		f.T.Fatal(err)
	}
}

// Whatever is in a log, in pages of whatever size, and however often a page fails: a
// subscription gets each event that it doesn't ignore once and in order, comes to the
// log's end, and is complete.
func TestIgnoredEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.laterThanLogs("filtering")
	rapid.Check(t, func(r *rapid.T) {
		tenant := f.Tenant()
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{wanted, ignored, ignored, broken, left, single}), 1, 40).Draw(r, "log")
		want := f.kinds(tenant, "filtering", kinds)
		cfg := filtering()
		cfg.PageSize = rapid.IntRange(1, 12).Draw(r, "page size")
		if rapid.Bool().Draw(r, "folds") {
			cfg.Interests["filtering"] = feed.Interest{Ignores: cfg.Interests["filtering"].Ignores, FoldVersion: 1}
		}
		s := &seen{}
		replica := f.replica(cfg)
		defer replica.leave()
		replica.subscribe("filtering", func(ctx context.Context, p *feed.Page) error {
			if p.Tenant != tenant {
				return nil
			}
			for _, e := range p.Events {
				if e.Seq > 1 && kinds[e.Seq-2] == single && len(p.Events) > 1 {
					return errBad
				}
			}
			return s.handle(ctx, p)
		})
		head := int64(len(kinds) + 1)
		replica.wantsReached(tenant, head, "filtering")
		tenanttest.Until(t, f.Engine, `select seq = $2 and complete and failures = 0 from checkpoints where tenant_id = $1`, tenant.UUID(), head)
		replica.close()
		s.mu.Lock()
		defer s.mu.Unlock()
		if !slices.Equal(s.seqs[tenant], want) {
			r.Fatalf("given were %v, want %v", s.seqs[tenant], want)
		}
	})
}

// The event that can't be handled is the one at which a subscription stands still, by
// its own seq, and not what was ignored before it.
func TestStandsStillAfterIgnoredEvents(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{damaged, single, archived, newer} {
		for _, size := range []int{1, 4, 100} {
			t.Run(kind, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.laterThanLogs("filtering")
				tenant := f.Tenant()
				kinds := slices.Concat([]string{wanted, ignored, wanted}, slices.Repeat([]string{ignored, broken}, 5), []string{kind, ignored, wanted})
				want := f.kinds(tenant, "filtering", kinds)
				bad := int64(len(kinds) - 1)
				cfg := filtering()
				cfg.PageSize = size
				r, s := f.replica(cfg), &seen{bad: tenant, at: bad}
				r.subscribe("filtering", s.handle)
				r.wantsReached(tenant, bad-1, "filtering")
				if kind == archived || kind == newer {
					for range 3 { // several sweeps find it again
						well := f.Tenant()
						r.wantsReached(well, f.Grow(r.store, well, 1), "filtering")
					}
					f.wantsUntroubled("filtering", tenant, bad-1)
					if n := r.wantsSaid("left to a newer version", 1); n != 1 {
						t.Errorf("it was said %d times:\n%s", n, r.warnings.String())
					}
				} else if c := f.parked("filtering", tenant, 1); c.Seq != bad-1 {
					t.Errorf("it is parked after %d, want %d", c.Seq, bad-1)
				}
				s.wants(t, tenant, []int64{1, 2, 4})
				tenanttest.Until(t, f.Engine, `select not complete from checkpoints where tenant_id = $1`, tenant.UUID())
				if kind != damaged {
					return
				}
				skip, err := feed.NewParking(f.Engine).Skip(t.Context(), tenant, "filtering",
					func(_ context.Context, p feed.Parked) (int64, error) { return 1000, nil })
				if err != nil || skip.Seq != bad {
					t.Fatalf("skipped %d, want %d: %v", skip.Seq, bad, err)
				}
				r.wantsReached(tenant, bad+2, "filtering")
				s.wants(t, tenant, want)
			})
		}
	}
}

// A handler that meets what it doesn't know after ignored events leaves just that.
func TestHandlerLeavesToNewerAfterIgnoredEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	s, r := &seen{}, f.replica(filtering())
	r.subscribe("filtering", func(ctx context.Context, p *feed.Page) error {
		if p.Tenant == tenant && slices.ContainsFunc(p.Events, func(e domain.Recorded) bool { return e.Seq == 4 }) {
			return domain.ErrUnknownEvent
		}
		return s.handle(ctx, p)
	})
	r.wantsReached(tenant, 1, "filtering")
	f.kinds(tenant, "filtering", []string{ignored, ignored, single})
	r.wantsReached(tenant, 3, "filtering")
	well := f.Tenant()
	r.wantsReached(well, f.Grow(r.store, well, 1), "filtering")
	f.wantsUntroubled("filtering", tenant, 3)
	s.wants(t, tenant, []int64{1})
}

// What a replica has appended itself it hands on as it does what it reads: without what
// is ignored. All that was passed counts as handled.
func TestIgnoredEventsFromMemory(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	cfg, reg := filtering(), prometheus.NewRegistry()
	cfg.Metrics = reg
	s, r := &seen{}, f.replica(cfg)
	r.subscribe("filtering", s.handle)
	want := []int64{1}
	var head int64
	for range 10 {
		p := part(tenant, newStream(t), 0, 2)
		p.Events = append(p.Events, domain.TaskDeleted{Title: "x"}, domain.TaskDeleted{Title: "x"})
		head = f.Append(r.store, commit(t, p)).Seq(tenant)
		want = append(want, head-3, head-2)
	}
	r.wantsReached(tenant, head, "filtering")
	tenanttest.Until(t, f.Engine, `select seq = $2 from checkpoints where tenant_id = $1`, tenant.UUID(), head)
	s.wants(t, tenant, want)
	untilMeasured(t, reg, func(m map[string]float64) bool { return m["docket_feed_events_total filtering"] >= float64(head) })
	r.close() // which ends what isn't counted yet
	tenanttest.WantsMeasured(t, reg, map[string]float64{"docket_feed_events_total filtering": float64(head), "docket_feed_failures_total filtering": 0})
}

// A build ignores the types in Ignore, as the live subscription does.
func TestBuildIgnores(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	want := f.kinds(tenant, "filtering", []string{wanted, broken, broken, ignored, left, wanted, broken, broken, broken, broken})
	build, err := tenanttest.StartBuild(t.Context(), f.Engine, tenant, "filtering", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer build.Close()
	s := &seen{}
	if _, err := build.Page(t.Context(), 5, s.handle); err == nil {
		t.Error("what is damaged was read")
	}
	build.Ignore([]string{"task.deleted"})
	for n := 4; n == 4; {
		if n, err = build.Page(t.Context(), 4, s.handle); err != nil {
			t.Fatal(err)
		}
	}
	s.wants(t, tenant, want)
	if build.Seq() != 11 {
		t.Errorf("the build is at %d", build.Seq())
	}
	if err := build.Switch(t.Context(), 4, s.handle); err != nil {
		t.Error(err)
	}
}

// A fold that is far behind gets larger pages, though not of large events; who has
// something to do for each event doesn't.
func TestPagesOfOneFarBehind(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	small, large := f.Tenant(), f.Tenant()
	for tenant, bytes := range map[domain.TenantID]int{small: 1, large: eventstore.MaxEventSize - 100} {
		if _, err := f.Engine.Exec(t.Context(), `insert into events
select $1, n, 'task', gen_random_uuid(), 1, 'task.updated', 1, now(), null, $1, json_build_object('title', repeat('x', $2)), '{}'
from generate_series(2, 401) n`, tenant.UUID(), bytes); err != nil {
			t.Fatal(err)
		}
	}
	r := f.replica(feed.Config{PageSize: 50, Interests: map[string]feed.Interest{"folds": {FoldVersion: 1}}})
	for name, want := range map[string]map[domain.TenantID][]int{
		"folds":   {small: {200, 200, 1}, large: {100, 100, 100, 100, 1}},
		"tellers": {small: {50, 50, 50, 50, 50, 50, 50, 50, 1}, large: {50, 50, 50, 50, 50, 50, 50, 50, 1}},
	} {
		sizes := make(chan map[domain.TenantID]int, 100)
		r.subscribe(name, func(_ context.Context, p *feed.Page) error {
			sizes <- map[domain.TenantID]int{p.Tenant: len(p.Events)}
			return nil
		})
		r.wantsReached(small, 401, name)
		r.wantsReached(large, 401, name)
		got := map[domain.TenantID][]int{}
		for len(sizes) > 0 {
			for tenant, n := range <-sizes {
				got[tenant] = append(got[tenant], n)
			}
		}
		for tenant, pages := range want {
			if !slices.Equal(got[tenant], pages) {
				t.Errorf("%s: pages of %v events, want %v", name, got[tenant], pages)
			}
		}
	}
}
