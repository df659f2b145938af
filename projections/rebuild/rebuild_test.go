package rebuild

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
	"docket/projections"

	"github.com/ThreeDotsLabs/watermill/message"
)

// appendsBeside is how many events are appended beside a rebuild at the most: with the tiny
// pages of tests it would never come to the end of a log that grows for ever.
var appendsBeside = flag.Int("rebuild.appends", 400, "how many events are appended beside a rebuild or verification at the most")

func TestRebuildWhileAppendsAndReadsGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 50)
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
			items, _, err := w.queries.Projects(t.Context(), s, projections.ProjectFilter{}, projections.Order{}, projections.Page{Limit: 2 * n}, projections.Fresh{})
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
		if i == *appendsBeside {
			tenanttest.Receive(t, "the second rebuild hasn't ended", rebuilt)
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
	w.RunAll(t, 50)
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
			t.Fatalf("after %d interruptions the rebuild still isn't done", kill)
		}
	}
	for i := 1; i < len(resumedAt); i++ {
		if resumedAt[i] != min(resumedAt[i-1]+6, c.Head()) {
			t.Fatalf("it resumed at %v; want each two pages of 3 events after the one before, up to %d", resumedAt, c.Head())
		}
	}
	if len(resumedAt) < 3 {
		t.Fatalf("it was interrupted at %v only, want at least 3 places", resumedAt)
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

// What another version of the fold has begun isn't continued.
func TestRebuildByAnotherFold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 5)
	w.RunAll(t, 50)
	w.Caught(t, c)
	want := w.dump(t, c)
	old := renaming(`'as an older version wrote it'`)
	old.FoldVersion = 0
	build, err := tenanttest.StartBuild(t.Context(), w.Engine, c.ID, old.Name, old.FoldVersion)
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

// A read model that is named twice is made once, and compared once.
func TestRebuildOfWhatIsNamedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 2)
	stop := w.RunAll(t, 50)
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
		t.Errorf("%d were rebuilt, want 2 (%v)", done, err)
	}
	w.onlyGeneration(t, c, modelOf(t, "tasks"), 2)
	// Each of two builders of one generation would find it gone once the other is done.
	if _, verdicts, err := verify(t, w.rebuild, here, twice, true); err != nil || len(verdicts) != 2 {
		t.Errorf("the verdicts are %+v, %v; want two", verdicts, err)
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
	w.RunAll(t, 50)
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
	w.reaches(t, ill, poison-1, "projects")
	well.CreateProject(t, bea, "Another")
	w.Caught(t, well, "projects")
	w.isFoldOfLog(t, well, "projects")
	items, _, err := w.queries.Projects(t.Context(), domain.Operate(ill.ID), projections.ProjectFilter{}, projections.Order{}, projections.Page{}, projections.Fresh{})
	if err != nil || len(items) != 2 {
		t.Fatalf("%d projects before the poison, want 2 (%v)", len(items), err)
	}
	before := w.Rows(t, ill, "projects", 1)

	build, err := tenanttest.StartBuild(t.Context(), w.Engine, ill.ID, "projects", 1)
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
		t.Fatalf("%d failures are still counted, want none (%v)", failures, err)
	}
}

// A crash between two pages of a build, in the middle of a transaction, loses
// that page and nothing else.
func TestBuildPageIsOneTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 3)
	build, err := tenanttest.StartBuild(t.Context(), w.Engine, c.ID, "projects", 1)
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
		t.Fatalf("the build is at %d, want 4: %v, want the interruption", build.Seq(), err)
	}
	equal(t, "rows", w.Rows(t, c, "projects", build.Generation()), before)
	if n, err := build.Page(t.Context(), 4, m.Apply); n != 4 || err != nil {
		t.Fatalf("the page after it has %d events, want 4 (%v)", n, err)
	}
}
