package feed_test

import (
	"fmt"
	"slices"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/prometheus/client_golang/prometheus"
)

// deleted is n events of a type that filtering ignores, each in a Commit of its own. It
// returns the last one's seq.
func (f *fixture) deleted(s *eventstore.Store, t domain.TenantID, n int) (head int64) {
	f.T.Helper()
	for range n {
		p := eventstore.Part{Tenant: t, Stream: newStream(f.T), Events: []domain.Event{domain.TaskDeleted{Title: "x"}}}
		head = f.Append(s, commit(f.T, p)).Seq(t)
	}
	return head
}

// The checkpoints of those who ignore what was appended follow without a page, in all
// tenants; those of others have their pages.
func TestPassedWithoutPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cfg, reg := filtering(), prometheus.NewRegistry()
	cfg.Metrics, cfg.Sweep = reg, never
	cfg.Interests["picky"] = feed.Interest{Ignores: cfg.Interests["filtering"].Ignores, FoldVersion: 3}
	heads := map[domain.TenantID]int64{}
	for range 7 {
		heads[f.Tenant()] = 1
	}
	r, all := f.replica(cfg), []string{"greedy", "filtering", "picky"}
	s, listens := map[string]*seen{}, r.feed.Listens()
	for _, name := range all {
		s[name] = &seen{}
		r.subscribe(name, s[name].handle)
		<-listens // the others' first sweep is their only one, and nothing is forgotten any more
	}
	for tenant := range heads {
		r.wantsReached(tenant, 1, all...)
		heads[tenant] = f.Grow(r.store, tenant, 1)
		r.wantsReached(tenant, heads[tenant], all...)
	}
	// What is reached may have been seen in the database before it is counted.
	counted := func(events float64) map[string]float64 {
		return untilMeasured(t, reg, func(m map[string]float64) bool {
			return !slices.ContainsFunc(all, func(name string) bool { return m["docket_feed_events_total "+name] < events })
		})
	}
	before := counted(7 * 2)
	for range 5 {
		for tenant := range heads {
			heads[tenant] = f.deleted(r.store, tenant, 3)
			r.wantsReached(tenant, heads[tenant], all...)
		}
	}
	for tenant, head := range heads {
		for _, name := range all {
			tenanttest.Until(t, f.Engine, `select seq = $3 from checkpoints where tenant_id = $1 and subscription = $2`, tenant.UUID(), name, head)
		}
		s["filtering"].wants(t, tenant, but(2))
		s["picky"].wants(t, tenant, but(2))
		s["greedy"].wants(t, tenant, but(head))
	}
	counted(7*2 + 7*5*3) // Close ends what isn't counted yet
	r.close()
	after := tenanttest.Measured(t, reg)
	for _, name := range all {
		pages, events := "docket_feed_pages_total "+name, "docket_feed_events_total "+name
		// Whose the checkpoints of picky are is looked up by a page now and then (heldFor).
		if n := after[pages] - before[pages]; name == "filtering" && n >= 7 || name == "greedy" && n < 7 {
			t.Errorf("%s had %v pages in 7 tenants", name, n)
		}
		if n := after[events] - before[events]; n != 7*5*3 {
			t.Errorf("%s went past %v events, want %d", name, n, 7*5*3)
		}
	}
	if text := r.warnings.String(); text != "" {
		t.Errorf("warnings:\n%s", text)
	}
}

// What is wanted comes between what is passed: nothing is missed, and nothing comes twice.
func TestPassedAndWanted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	one, two, s := f.replica(filtering()), f.replica(filtering()), &seen{}
	for _, r := range []*replica{one, two} {
		r.subscribe("filtering", s.handle)
	}
	want := []int64{1}
	var head int64
	for i := range 60 {
		by, other := one, two
		if i%3 == 0 {
			by, other = two, one
		}
		f.deleted(by.store, tenant, i%4)
		if i%2 == 0 {
			other = by
		}
		head = f.Grow(other.store, tenant, 1)
		want = append(want, head)
		if i%5 == 0 {
			head = f.deleted(other.store, tenant, 2)
		}
		by.wantsReached(tenant, head, "filtering")
		other.wantsReached(tenant, head, "filtering")
	}
	tenanttest.Until(t, f.Engine, `select seq = $2 from checkpoints where tenant_id = $1`, tenant.UUID(), head)
	s.wants(t, tenant, want)
}

// Checkpoints that went back, as after a crash of Postgres, aren't moved past what has to
// be handled once more.
func TestPassedAfterCheckpointsWentBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	cfg := filtering()
	cfg.Sweep = never // which would find them first
	s, r := &seen{}, f.replica(cfg)
	r.subscribe("filtering", s.handle)
	head := f.Grow(r.store, tenant, 3)
	r.wantsReached(tenant, head, "filtering")
	if _, err := f.Engine.Exec(t.Context(), `update checkpoints set seq = 2 where tenant_id = $1`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	head = f.deleted(r.store, tenant, 3)
	tenanttest.Until(t, f.Engine, `select seq = $2 from checkpoints where tenant_id = $1`, tenant.UUID(), head)
	s.wants(t, tenant, []int64{1, 2, 3, 4, 3, 4})
}

// A checkpoint is moved to the end of a stretch if it stands inside, and if nothing
// speaks against it.
func TestPass(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	cfg := filtering()
	cfg.Interests["filtering"] = feed.Interest{Ignores: cfg.Interests["filtering"].Ignores, FoldVersion: 2}
	r := f.replica(cfg)
	for name, c := range map[string]struct {
		seq     int64
		set     string // beside
		through int64  // 9 if 0
		want    bool
	}{
		"at the stretch's beginning": {5, "", 0, true},
		"inside":                     {7, "", 0, true},
		"before":                     {4, "", 0, false},
		"at its end":                 {9, "", 0, true},
		"after":                      {10, "", 0, true},
		"never complete":             {5, "complete = false", 0, false},
		"failed":                     {5, "failures = 1", 0, false},
		"of an older fold":           {5, "fold_version = 1", 0, false},
		"of a newer fold":            {5, "fold_version = 3", 0, false},
		"not live":                   {5, "generation = 2", 0, false},
		"beyond the log's end":       {5, "", 11, false},
		"with another event there":   {5, "", 8, false},
	} {
		t.Run(name, func(t *testing.T) {
			tenant := f.Tenant()
			f.deleted(r.store, tenant, 9)
			exec := func(sql string, args ...any) {
				t.Helper()
				if _, err := f.Engine.Exec(t.Context(), sql, args...); err != nil {
					t.Fatal(err)
				}
			}
			exec(`insert into checkpoints (tenant_id, subscription, generation, seq, fold_version, complete) values ($1, 'filtering', 1, $2, 2, true)`,
				tenant.UUID(), c.seq)
			if c.set != "" {
				exec(fmt.Sprintf(`update checkpoints set %s where tenant_id = $1`, c.set), tenant.UUID())
			}
			through := int64(9)
			if c.through != 0 {
				through = c.through
			}
			moved, err := r.feed.Pass(tenant, "filtering", 5, through, f.Log(tenant)[8].Command) // that of event 9
			want := c.seq
			if c.want {
				want = max(want, 9)
			}
			if seq := f.checkpoint("filtering", tenant).Seq; err != nil || moved != c.want || seq != want {
				t.Errorf("moved %t, stands at %d, want %t and %d: %v", moved, seq, c.want, want, err)
			}
		})
	}

	// The statement doesn't wait for a locked checkpoint.
	tenant := f.Tenant()
	f.deleted(r.store, tenant, 9)
	if _, err := f.Engine.Exec(t.Context(), `insert into checkpoints (tenant_id, subscription, generation, seq, fold_version, complete)
values ($1, 'filtering', 1, 5, 2, true)`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	tx, err := f.Engine.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := tx.Exec(t.Context(), `select from checkpoints where tenant_id = $1 for update`, tenant.UUID()); err != nil {
		t.Fatal(err)
	}
	if moved, err := r.feed.Pass(tenant, "filtering", 5, 9, f.Log(tenant)[8].Command); moved || err != nil {
		t.Errorf("moved a locked one: %t, %v", moved, err)
	}
}
