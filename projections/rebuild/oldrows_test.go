package rebuild

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
	"docket/projections"

	"github.com/jackc/pgx/v5"
)

// Old rows of several generations, in more than two chunks, go; those of the others stay.
func TestDropInChunks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	breaths := 0
	in := &Rebuilder{pause: func(context.Context, time.Duration) bool { breaths++; return true }}
	one, other := tenanttest.NewID[domain.TenantID](t), tenanttest.NewID[domain.TenantID](t)
	for m, fill := range map[*projections.ReadModel]string{
		new(modelOf(t, "activity")): `insert into activity (tenant_id, generation, seq, action, entity_type)
select t, 1 + i % 4, i, 'task.created', 'task' from unnest($1::uuid[]) t, generate_series(1, $2::int) i`,
		new(modelOf(t, "search")): `insert into search (tenant_id, generation, id, seq, document)
select t, 1 + i % 4, gen_random_uuid(), i, '' from unnest($1::uuid[]) t, generate_series(1, $2::int) i`,
	} {
		const rows = 6 * dropChunk // three chunks of two generations
		if _, err := w.Engine.Exec(t.Context(), fill, []domain.TenantID{one, other}, rows); err != nil {
			t.Fatal(err)
		}
		before := rows
		for _, step := range []struct {
			of   generations
			left int
		}{{generations{0, 1}, rows}, {generations{0, 3}, rows / 2}, {generations{2, 4}, rows / 4}, {generations{2, 5}, 0}} {
			if err := w.rebuild.drop(context.Background(), one, *m, step.of, in.newLimiter()); err != nil {
				t.Fatal(err)
			}
			var left, others int
			if err := w.Engine.QueryRow(t.Context(), `select count(*) filter (where tenant_id = $1), count(*) filter (where tenant_id = $2) from `+m.Table,
				one.UUID(), other.UUID()).Scan(&left, &others); err != nil {
				t.Fatal(err)
			}
			if left != step.left || others != rows {
				t.Errorf("%s %v: %d rows are left, and %d of the other tenant's", m.Name, step.of, left, others)
			}
			if chunks := (before - left + dropChunk) / dropChunk; breaths < chunks {
				t.Errorf("%s %v: %d chunks, and %d breaths between them", m.Name, step.of, chunks, breaths)
			}
			before, breaths = left, 0
		}
	}
}

// failuresIn are the errors of read models in an error, which may be several joined.
func failuresIn(err error) (all []*Error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, failuresIn(e)...)
		}
		return all
	}
	var failure *Error
	for errors.As(err, &failure) {
		all, err = append(all, failure), failure.Cause
	}
	return all
}

// Old rows that can't be deleted, or weren't since the process was killed before it came
// to that, are no failed rebuild; they are noted, and whoever builds in the background
// deletes them.
func TestOldRowsThatStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.RunAll(t, 50)
	c, _ := w.Company(t, 3)
	w.Caught(t, c)
	stop()
	again := w.undeletable(t, "projects")
	here := []domain.TenantID{c.ID}
	isLeft := func(err error) {
		t.Helper()
		all := failuresIn(err)
		if len(all) != 1 || all[0].Op != OpDeleteOldRows || all[0].Model != "projects" || all[0].Tenant != c.ID {
			t.Errorf("told of old rows: %v; want one error about the old rows of projects, and no other", err)
		}
	}
	var last Progress
	flips := 0
	err := w.rebuild.Rebuild(t.Context(), here, []string{"projects", "tasks"}, func(p Progress) {
		if p.Done && p.Err == nil {
			flips++
		}
		if p.Model == "projects" {
			last = p
		}
	})
	isLeft(err)
	isLeft(last.Err)
	if !last.Done || flips != 2 || w.Generation(t, c, "projects") != 2 {
		t.Errorf("%d flips, at last %+v; want 2, with projects done in generation 2", flips, last)
	}
	if left := w.leftovers(t, c); !slices.Equal(left, []string{"projects"}) {
		t.Errorf("old rows are noted of %v, want of projects", left)
	}
	if _, err := w.Engine.Exec(t.Context(), `update projects set name = 'x' where tenant_id = $1`, c.ID.UUID()); err != nil {
		t.Fatal(err)
	}
	_, verdicts, err := verify(t, w.rebuild, here, []string{"projects"}, true)
	isLeft(err)
	if len(verdicts) != 1 || !verdicts[0].Repaired || w.Generation(t, c, "projects") != 3 {
		t.Errorf("the verdicts are %+v; want one, repaired, in generation 3", verdicts)
	}
	isLeft(verdicts[0].Err)

	again()
	// Killed between the flip and the deletion.
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	_ = w.rebuild.Rebuild(ctx, here, []string{"tasks"}, func(p Progress) {
		if p.Done {
			kill()
		}
	})
	if left := w.leftovers(t, c); !slices.Equal(left, []string{"projects", "tasks"}) {
		t.Errorf("old rows are noted of %v, want of projects and tasks", left)
	}
	// What somebody has in hand is left to them.
	build, err := tenanttest.StartBuild(t.Context(), w.Engine, c.ID, "tasks", 1)
	if err != nil {
		t.Fatal(err)
	}
	b := NewBackground(BackgroundConfig{Engine: w.Engine})
	b.deleteOldRows(t.Context())
	build.Close()
	if left := w.leftovers(t, c); !slices.Equal(left, []string{"tasks"}) {
		t.Errorf("old rows are noted of %v, want of tasks", left)
	}
	w.onlyGeneration(t, c, modelOf(t, "projects"), 3)
	b.Start()
	tenanttest.Eventually(t, "old rows are still noted", func() (bool, any) {
		left := w.leftovers(t, c)
		return len(left) == 0, left
	})
	b.Stop()
	var rows int
	if err := w.Engine.QueryRow(t.Context(), `select count(*) from tasks where tenant_id = $1 and generation <> 3`, c.ID.UUID()).Scan(&rows); err != nil || rows > 0 {
		t.Errorf("%d old rows of tasks, want none (%v)", rows, err)
	}
}

// undeletable keeps the rows of a read model from being deleted, until again.
func (w *world) undeletable(t *testing.T, table string) (again func()) {
	t.Helper()
	owner, err := pgx.Connect(t.Context(), w.DB.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close(context.Background()) })
	do := func(sql string) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	do(`create function kept() returns trigger language plpgsql as $$ begin raise exception 'they stay'; end $$;
create trigger kept before delete on ` + table + ` for each row execute function kept()`)
	return func() { t.Helper(); do(`drop trigger kept on ` + table) }
}

// leftovers are the read models of a company of which old rows are noted.
func (w *world) leftovers(t tenanttest.TB, c *tenanttest.Tenant) (models []string) {
	t.Helper()
	left, err := feed.ListOldRows(context.Background(), w.Engine, projections.Models())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left {
		if l.Tenant == c.ID {
			models = append(models, l.Subscription)
		}
	}
	return models
}
