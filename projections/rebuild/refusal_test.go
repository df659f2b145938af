package rebuild

import (
	"context"
	"errors"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
)

func TestRebuildRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 2)
	here := []domain.TenantID{c.ID}
	var unknown *UnknownModelError
	if err := w.rebuild.Rebuild(t.Context(), here, []string{"projects", "nonsense"}, nil); !errors.As(err, &unknown) || unknown.Name != "nonsense" {
		t.Errorf("an unknown model: %v", err)
	}
	var noTenant *eventstore.TenantError
	if err := w.rebuild.Rebuild(t.Context(), []domain.TenantID{tenanttest.NewID[domain.TenantID](t)}, nil, nil); !errors.As(err, &noTenant) {
		t.Errorf("an unknown tenant: %v", err)
	}

	// A failing tenant doesn't stop the rebuild of another.
	done := 0
	var failure *Error
	missing := tenanttest.NewID[domain.TenantID](t)
	err := w.rebuild.Rebuild(t.Context(), []domain.TenantID{missing, c.ID}, []string{"tasks", "members"}, func(p Progress) {
		if p.Done {
			done++
		}
	})
	if !errors.As(err, &failure) || failure.Op != OpRebuild || failure.Tenant != missing || failure.Model != "tasks" || done != 2 {
		t.Errorf("beside an unknown tenant %d were rebuilt, want 2: %v, want the unknown tenant's tasks", done, err)
	}

	// Two at once: the second is refused, at whatever step the first is.
	var running *feed.BuildRunningError
	again := New(w.DB.Engine(t))
	steps := 0
	first := &Rebuilder{engine: w.Engine, PageSize: 2}
	err = first.Rebuild(t.Context(), here, []string{"tasks"}, func(p Progress) {
		steps++
		if err := again.Rebuild(t.Context(), here, []string{"tasks"}, nil); !errors.As(err, &running) {
			t.Errorf("a second rebuild during %+v: %v", p, err)
		}
	})
	if err != nil || steps < 3 {
		t.Errorf("the first: %v after %d steps", err, steps)
	}
	if err := again.Rebuild(t.Context(), here, []string{"tasks"}, nil); err != nil {
		t.Errorf("after the first: %v", err)
	}
	var locks int
	if err := w.Engine.QueryRow(t.Context(), `select count(*) from pg_locks where locktype = 'advisory'
and database = (select oid from pg_database where datname = current_database())`).Scan(&locks); err != nil || locks != 0 {
		t.Errorf("%d advisory locks are left behind (%v)", locks, err)
	}
}

// A refusal names the one who rebuilds, also when that read model is done and others of
// the tenant aren't. No name stays after the rebuild.
func TestRebuildRefusedWithAName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 2)
	here := []domain.TenantID{c.ID}
	first, second := New(w.Engine), New(w.DB.Engine(t))
	first.By, second.By = "Ann", "Bea"
	var running *feed.BuildRunningError
	refusals, done := 0, map[string]bool{}
	err := first.Rebuild(t.Context(), here, []string{"tasks", "members"}, func(p Progress) {
		done[p.Model] = done[p.Model] || p.Done
		if !p.Done || len(done) < 2 || done["tasks"] == done["members"] {
			return
		}
		refusals++
		if err := second.Rebuild(t.Context(), here, []string{p.Model}, nil); !errors.As(err, &running) || running.By != "Ann" || running.Since.IsZero() {
			t.Errorf("%s, which is done: %v", p.Model, err)
		}
	})
	if err != nil || refusals != 1 {
		t.Fatalf("%d refusals, want 1 (%v)", refusals, err)
	}
	var named int
	if err := w.Engine.QueryRow(t.Context(), `select count(*) from checkpoints where built_by is not null or built_since is not null`).Scan(&named); err != nil || named > 0 {
		t.Errorf("%d checkpoints name who rebuilt them (%v)", named, err)
	}
	// Who was killed left a name, and old rows, or a build. Who deletes them has a name too, as
	// long as there are any.
	for _, killed := range []string{
		`update checkpoints set built_by = 'Dan', built_since = clock_timestamp() where subscription = 'tasks'`,
		`update generations set old_rows = true where subscription = 'tasks'`,
		`insert into checkpoints (tenant_id, subscription, generation, built_by, built_since)
select tenant_id, subscription, current + 1, 'Eve', clock_timestamp() - interval '1 hour' from generations where subscription = 'tasks'`,
	} {
		if _, err := w.Engine.Exec(t.Context(), killed); err != nil {
			t.Fatal(err)
		}
	}
	builds, err := feed.OpenBuilds(t.Context(), w.DB.Engine(t), c.ID, "Cay")
	if err != nil {
		t.Fatal(err)
	}
	defer builds.Close()
	drops := 0
	err = builds.DropOld(t.Context(), "tasks", func(context.Context, int) error {
		drops++
		if err := second.Rebuild(t.Context(), here, []string{"tasks"}, nil); !errors.As(err, &running) || running.By != "Cay" || running.Since.IsZero() {
			t.Errorf("beside one who deletes old rows: %v", err)
		}
		return nil
	})
	if err != nil || drops != 1 {
		t.Fatalf("the old rows were deleted %d times, want once (%v)", drops, err)
	}
	builds.Close()
	if _, err := w.Engine.Exec(t.Context(), `delete from checkpoints where built_by = 'Eve'`); err != nil {
		t.Fatal(err)
	}
	if err := w.Engine.QueryRow(t.Context(), `select count(*) from checkpoints where built_by is not null or built_since is not null`).Scan(&named); err != nil || named > 0 {
		t.Errorf("%d checkpoints name who is done with them (%v)", named, err)
	}
	nameless, err := feed.OpenBuilds(t.Context(), w.DB.Engine(t), c.ID, "Cay")
	if err != nil {
		t.Fatal(err)
	}
	defer nameless.Close()
	if err := nameless.DropOld(t.Context(), "tasks", func(context.Context, int) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := second.Rebuild(t.Context(), here, []string{"tasks"}, nil); !errors.As(err, &running) || running.By != "" {
		t.Errorf("beside one without a name: %v", err)
	}
}
