package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
	"docket/projections"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
)

// appendsBeside is how much is appended beside a rebuild at the most: with the tiny
// pages of tests it would never come to the end of a log that grows for ever.
const appendsBeside = 2_000

func TestRebuildWhileAppendsAndReadsGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Run(t, 50, projections.Subscriptions())
	const n = 30
	c, ann := w.Company(t, n)
	w.Caught(t, c)
	s := domain.Operate(c.ID)
	rebuilt := make(chan struct{})
	var others sync.WaitGroup

	// Each project's version only grows, and none is ever missing.
	read := 0
	others.Go(func() {
		seen := map[domain.ProjectID]int{}
		for {
			items, _, err := w.queries.Projects(t.Context(), s, projections.ProjectFilter{}, projections.ProjectOrder{}, projections.Page{Limit: 2 * n}, projections.Fresh{})
			if err != nil {
				t.Error(err)
				return
			}
			if len(items) != n {
				t.Errorf("a reader saw %d projects of %d", len(items), n)
				return
			}
			for _, p := range items {
				if p.Version < seen[p.ID] {
					t.Errorf("project %s went back from version %d to %d", p.ID, seen[p.ID], p.Version)
					return
				}
				seen[p.ID] = p.Version
			}
			read++
			select {
			case <-rebuilt:
				return
			default:
			}
		}
	})
	others.Go(func() {
		r := &Rebuilder{engine: w.DB.Engine(t), PageSize: 20}
		for range 2 {
			if err := r.Rebuild(t.Context(), []domain.TenantID{c.ID}, nil, nil); err != nil {
				t.Error(err)
				break
			}
		}
		close(rebuilt)
	})
	for i, going := 0, true; going; i++ {
		if i == appendsBeside {
			<-rebuilt
		}
		id := c.ProjectIDs[i%n]
		if err := c.ChangeProject(t, ann, id, domain.EditProject{Name: domain.To(fmt.Sprintf("Edit %d", i))}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-rebuilt:
			going = false
		default:
		}
	}
	others.Wait()
	t.Logf("%d events, %d reads", c.Head(), read)
	w.Caught(t, c)
	w.isFoldOfLog(t, c, "tenants")
	w.isFoldOfLog(t, c, "members")
	w.isFoldOfLog(t, c, "projects")
	w.isFoldOfLog(t, c, "tasks")
	w.isFoldOfLog(t, c, "comments")
	w.isFoldOfLog(t, c, "activity")
	for _, m := range projections.ReadModels() {
		if g := w.Generation(t, c, m.Name); g != 3 {
			t.Errorf("%s is at generation %d after two rebuilds", m.Name, g)
		}
		w.onlyGeneration(t, c, m, 3)
	}
}

// onlyGeneration fails the test where rows or checkpoints of others are left.
func (w *world) onlyGeneration(t tenanttest.TB, c *tenanttest.Tenant, m projections.ReadModel, generation int) {
	t.Helper()
	for _, sql := range []string{
		`select count(*) from ` + m.Table + ` where tenant_id = $1 and generation <> $2 and $3 <> ''`,
		`select count(*) from checkpoints where tenant_id = $1 and generation <> $2 and subscription = $3`,
	} {
		var left int
		if err := w.Engine.QueryRow(context.Background(), sql, c.ID.UUID(), generation, m.Name).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if left > 0 {
			t.Fatalf("%s: %d left: %s", m.Name, left, sql)
		}
	}
}

// A rebuild that is interrupted at any step leaves the old rows or the new ones, and the
// next rebuild resumes it where it stopped.
func TestRebuildInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 10)
	w.Run(t, 50, projections.Subscriptions())
	w.Caught(t, c)
	want := w.dump(t, c)
	r := &Rebuilder{engine: w.Engine, PageSize: 3}
	stop := errors.New("killed")
	goal := w.Generation(t, c, "projects") + 1
	var resumedAt []int64
	for kill := 1; ; kill++ {
		ctx, cancel := context.WithCancelCause(t.Context())
		steps := 0
		err := r.Rebuild(ctx, []domain.TenantID{c.ID}, []string{"projects"}, func(p Progress) {
			if steps == 0 {
				resumedAt = append(resumedAt, p.Seq)
			}
			if steps++; steps == 2 && !p.Done {
				cancel(stop)
			}
		})
		cancel(nil)
		equal(t, "rows", w.dump(t, c), want)
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if kill > 100 {
			t.Fatal("it never came to an end")
		}
	}
	for i := 1; i < len(resumedAt); i++ {
		if resumedAt[i] != min(resumedAt[i-1]+6, c.Head()) {
			t.Fatalf("it went on at %v", resumedAt)
		}
	}
	if len(resumedAt) < 3 {
		t.Fatalf("it was interrupted at %v only", resumedAt)
	}
	if g := w.Generation(t, c, "projects"); g != goal {
		t.Fatalf("generation %d, want %d: a resumed build fills the same", g, goal)
	}
	w.onlyGeneration(t, c, modelOf(t, "projects"), goal)

	// Between the flip and the deletion of the old rows: those are left to the next.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := r.Rebuild(ctx, []domain.TenantID{c.ID}, []string{"projects"}, func(p Progress) {
		if p.Done {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	equal(t, "rows", w.dump(t, c), want)
	if err := r.Rebuild(t.Context(), []domain.TenantID{c.ID}, []string{"projects"}, nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", w.dump(t, c), want)
	w.onlyGeneration(t, c, modelOf(t, "projects"), goal+2)
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

// Old rows that can't be deleted, or weren't since the process was killed before it came
// to that, are no failed rebuild; they are noted, and whoever builds in the background
// deletes them.
func TestOldRowsThatStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.Run(t, 50, projections.Subscriptions())
	c, _ := w.Company(t, 3)
	w.Caught(t, c)
	stop()
	again := w.undeletable(t, "projects")
	here := []domain.TenantID{c.ID}
	isLeft := func(err error) {
		t.Helper()
		var (
			left   *OldRowsError
			failed *Error
			verify *VerifyError
		)
		if !errors.As(err, &left) || left.Model != "projects" || left.Tenant != c.ID || errors.As(err, &failed) || errors.As(err, &verify) {
			t.Errorf("told of old rows: %v", err)
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
		t.Errorf("%d flips, at last %+v", flips, last)
	}
	if left := w.leftovers(t, c); !slices.Equal(left, []string{"projects"}) {
		t.Errorf("noted are %v", left)
	}
	if _, err := w.Engine.Exec(t.Context(), `update projects set name = 'x' where tenant_id = $1`, c.ID.UUID()); err != nil {
		t.Fatal(err)
	}
	_, verdicts, err := verify(t, w.rebuild, here, []string{"projects"}, true)
	isLeft(err)
	if len(verdicts) != 1 || !verdicts[0].Repaired || w.Generation(t, c, "projects") != 3 {
		t.Errorf("repaired: %+v", verdicts)
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
		t.Errorf("noted are %v", left)
	}
	// What somebody has in hand is left to them.
	build, err := startBuild(t.Context(), w.Engine, c.ID, "tasks", 1)
	if err != nil {
		t.Fatal(err)
	}
	b := NewBackground(BackgroundConfig{Engine: w.Engine})
	b.deleteOldRows(t.Context())
	build.Close()
	if left := w.leftovers(t, c); !slices.Equal(left, []string{"tasks"}) {
		t.Errorf("noted are %v", left)
	}
	w.onlyGeneration(t, c, modelOf(t, "projects"), 3)
	b.Start()
	for len(w.leftovers(t, c)) > 0 {
		time.Sleep(time.Millisecond)
	}
	b.Stop()
	var rows int
	if err := w.Engine.QueryRow(t.Context(), `select count(*) from tasks where tenant_id = $1 and generation <> 3`, c.ID.UUID()).Scan(&rows); err != nil || rows > 0 {
		t.Errorf("%d old rows of tasks, %v", rows, err)
	}
}

// What another version of the fold has begun isn't continued.
func TestRebuildByAnotherFold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 5)
	w.Run(t, 50, projections.Subscriptions())
	w.Caught(t, c)
	want := w.dump(t, c)
	old := renaming(`'as an older version wrote it'`)
	old.FoldVersion = 0
	build, err := startBuild(t.Context(), w.Engine, c.ID, old.Name, old.FoldVersion)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Page(t.Context(), 6, old.Apply); err != nil {
		t.Fatal(err)
	}
	build.Close()
	if err := w.rebuild.Rebuild(t.Context(), []domain.TenantID{c.ID}, []string{"projects"}, nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", w.dump(t, c), want)
	w.onlyGeneration(t, c, modelOf(t, "projects"), build.Generation()+1)
}

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
	if !errors.As(err, &failure) || failure.Tenant != missing || failure.Model != "tasks" || done != 2 {
		t.Errorf("beside an unknown tenant %d were rebuilt: %v", done, err)
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
		t.Fatal(refusals, err)
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
		t.Fatal(drops, err)
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

// A read model that is named twice is made once, and compared once.
func TestRebuildOfWhatIsNamedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 2)
	stop := w.Run(t, 50, projections.Subscriptions())
	w.Caught(t, c)
	stop()
	here, twice := []domain.TenantID{c.ID}, []string{"tasks", "members", "tasks"}
	done := 0
	err := w.rebuild.Rebuild(t.Context(), here, twice, func(p Progress) {
		if p.Done {
			done++
		}
	})
	if err != nil || done != 2 {
		t.Errorf("%d were rebuilt: %v", done, err)
	}
	w.onlyGeneration(t, c, modelOf(t, "tasks"), 2)
	// Each of two builders of one generation would find it gone once the other is done.
	if _, verdicts, err := verify(t, w.rebuild, here, twice, true); err != nil || len(verdicts) != 2 {
		t.Errorf("%+v, %v", verdicts, err)
	}
}

// Before the subscription ever ran, and of every tenant there is.
func TestRebuildOfWhatWasNeverHandled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, _ := w.Company(t, 2)
	second, _ := w.Company(t, 3)
	last := map[Progress]bool{}
	if err := w.rebuild.Rebuild(t.Context(), nil, nil, func(p Progress) { last[p] = true }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*tenanttest.Tenant{first, second} {
		w.isFoldOfLog(t, c, "projects")
		w.isFoldOfLog(t, c, "activity")
		for _, m := range projections.Models() {
			if !last[Progress{Tenant: c.ID, Model: m, Seq: c.Head(), Head: c.Head(), Done: true}] {
				t.Errorf("no report of %s of %s", m, c.ID)
			}
		}
	}
	// The live subscriptions go on from there.
	w.Run(t, 50, projections.Subscriptions())
	first.CreateProject(t, first.UserIDs[0], "One more")
	w.Caught(t, first)
	w.isFoldOfLog(t, first, "projects")
	w.isFoldOfLog(t, first, "activity")
}

// A fold that fails on one tenant's event: that tenant waits at the event, the
// other goes on, and a rebuild leaves the old rows.
func TestPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ill, ann := w.Company(t, 2)
	well, bea := w.Company(t, 2)
	poison := ill.Head() + 1
	poisoned := poisonedProjects(ill, poison)
	handlers := map[string]message.NoPublishHandlerFunc{"projects": feed.Handle(poisoned.Apply)}
	ill.CreateProject(t, ann, "After the poison")
	stop := w.Run(t, 50, handlers)
	w.Caught(t, well, "projects")
	if !w.Positions.Await(t.Context(), ill.ID, poison-1, "projects") {
		t.Fatal("what stands before the poison isn't folded")
	}
	well.CreateProject(t, bea, "Another")
	w.Caught(t, well, "projects")
	w.isFoldOfLog(t, well, "projects")
	items, _, err := w.queries.Projects(t.Context(), domain.Operate(ill.ID), projections.ProjectFilter{}, projections.ProjectOrder{}, projections.Page{}, projections.Fresh{})
	if err != nil || len(items) != 2 {
		t.Fatalf("%d projects before the poison, %v", len(items), err)
	}
	before := w.Rows(t, ill, "projects", 1)

	build, err := startBuild(t.Context(), w.Engine, ill.ID, "projects", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Page(t.Context(), 100, poisoned.Apply); err == nil {
		t.Fatal("a build went past the poison")
	}
	build.Close()
	equal(t, "rows after the failed build", w.Rows(t, ill, "projects", 1), before)

	// A rebuild by a fold that can is the cure.
	stop()
	if err := w.rebuild.Rebuild(t.Context(), []domain.TenantID{ill.ID}, []string{"projects"}, nil); err != nil {
		t.Fatal(err)
	}
	w.isFoldOfLog(t, ill, "projects")
	var failures int
	err = w.Engine.QueryRow(t.Context(), `select failures from checkpoints where tenant_id = $1 and subscription = 'projects'`, ill.ID.UUID()).Scan(&failures)
	if err != nil || failures != 0 {
		t.Fatalf("%d failures are still counted, %v", failures, err)
	}
}

// A crash between two pages of a build, in the middle of a transaction, loses
// that page and nothing else.
func TestBuildPageIsOneTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 3)
	build, err := startBuild(t.Context(), w.Engine, c.ID, "projects", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer build.Close()
	m := modelOf(t, "projects")
	if _, err := build.Page(t.Context(), 4, m.Apply); err != nil {
		t.Fatal(err)
	}
	before := w.Rows(t, c, "projects", build.Generation())
	interrupted := errors.New("interrupted")
	_, err = build.Page(t.Context(), 4, func(ctx context.Context, p *feed.Page) error {
		return errors.Join(m.Apply(ctx, p), interrupted)
	})
	if !errors.Is(err, interrupted) || build.Seq() != 4 {
		t.Fatalf("at %d: %v", build.Seq(), err)
	}
	equal(t, "rows", w.Rows(t, c, "projects", build.Generation()), before)
	if n, err := build.Page(t.Context(), 4, m.Apply); n != 4 || err != nil {
		t.Fatalf("%d events, %v", n, err)
	}
}
