package rebuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
	"docket/projections"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
)

// found is what a verification names, without the values.
type found struct {
	Tenant  domain.TenantID
	Model   string
	Key     string
	Kind    Kind
	Columns string
}

// verify runs one, and sorts what it names.
func verify(t tenanttest.TB, r *Rebuilder, tenants []domain.TenantID, models []string, repair bool) ([]found, []Verdict, error) {
	t.Helper()
	var (
		all      []found
		verdicts []Verdict
		named    = map[domain.TenantID]map[string]int64{}
	)
	err := r.Verify(context.Background(), tenants, models, Verification{
		Repair: repair,
		Difference: func(d Difference) {
			f := found{Tenant: d.Tenant, Model: d.Model, Key: d.Key, Kind: d.Kind}
			if d.Kind == Changed {
				var names []string
				for _, c := range d.Columns {
					names = append(names, c.Name)
				}
				f.Columns = strings.Join(names, " ")
			}
			all = append(all, f)
			if named[d.Tenant] == nil {
				named[d.Tenant] = map[string]int64{}
			}
			named[d.Tenant][d.Model]++
		},
		Verdict: func(v Verdict) { verdicts = append(verdicts, v) },
	})
	for _, v := range verdicts {
		if v.Differing != named[v.Tenant][v.Model] || (v.Err == nil && v.Repaired != (repair && v.Differing > 0)) {
			t.Fatalf("the verdict is %+v, and %d differing rows were named; want as many, and a repair if it was asked for and rows differ", v, named[v.Tenant][v.Model])
		}
	}
	slices.SortFunc(all, func(a, b found) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all, verdicts, err
}

// sound fails the test where a verification names anything.
func (w *world) sound(t tenanttest.TB, c *tenanttest.Tenant) {
	t.Helper()
	differing, verdicts, err := verify(t, w.rebuild, []domain.TenantID{c.ID}, nil, false)
	if err != nil || len(differing) > 0 || len(verdicts) != len(projections.Models()) {
		t.Fatalf("%v differ, with %d verdicts of %d read models, %v; want no difference", differing, len(verdicts), len(projections.Models()), err)
	}
}

// The values of both sides come along, as JSON.
func TestVerifyTellsTheValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.RunAll(t, 50)
	c, _ := w.Company(t, 1)
	w.Caught(t, c)
	stop()
	if _, err := w.Engine.Exec(t.Context(), `update tasks set title = e'a "b"\n', assignee_id = $2, version = 9 where tenant_id = $1`, c.ID.UUID(), c.ID.UUID()); err != nil {
		t.Fatal(err)
	}
	var got []Difference
	if err := w.rebuild.Verify(t.Context(), []domain.TenantID{c.ID}, []string{"tasks"}, Verification{Difference: func(d Difference) { got = append(got, d) }}); err != nil {
		t.Fatal(err)
	}
	text := func(v any) json.RawMessage { b, _ := json.Marshal(v); return b }
	want := []Difference{{Tenant: c.ID, Model: "tasks", Key: c.TaskIDs[0].String(), Kind: Changed, Columns: []ColumnDifference{
		{"title", text("a \"b\"\n"), text("Task 0")}, {"assignee_id", text(c.ID.String()), json.RawMessage("null")}, {"version", text(9), text(1)},
	}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("-want +got:\n%s", d)
	}
}

// While commands are appended and folded nothing sound is named, and readers see
// every row; the live subscription isn't kept from going on.
func TestVerifyWhileAppendsGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 20)
	c, ann := w.Company(t, 30)
	w.Caught(t, c)
	ended := make(chan error, 1)
	rounds := 0
	go func() {
		defer close(ended)
		r := &Rebuilder{engine: w.DB.Engine(t), PageSize: 20, compareRows: 7}
		for range 3 {
			err := r.Verify(context.Background(), []domain.TenantID{c.ID}, nil, Verification{
				Difference: func(d Difference) { t.Errorf("named: %s %s %s %s", d.Model, d.Key, d.Kind, d.Columns) },
				Verdict: func(v Verdict) {
					if v.Rows == 0 && v.Model != "cycles" || v.Err != nil { // no project went that far
						t.Errorf("the verdict is %+v; want rows and no error", v)
					}
				},
			})
			if err != nil {
				ended <- err
				return
			}
			rounds++
		}
	}()
	for i, going := 0, true; going; i++ {
		if i == *appendsBeside {
			if err := tenanttest.Receive(t, "the third verification hasn't ended", ended); err != nil {
				t.Error(err)
			}
			break
		}
		if err := c.ChangeProject(t, ann, c.ProjectIDs[i%30], domain.EditProject{Name: domain.To(fmt.Sprintf("Edit %d", i))}); err != nil {
			t.Fatal(err)
		}
		if i%10 == 0 {
			c.CreateTask(t, ann, c.ProjectIDs[i%30], domain.CreateTask{Title: "More"})
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			going = false
		default:
		}
	}
	t.Logf("%d events, %d rounds", c.Head(), rounds)
	w.Caught(t, c)
	w.sound(t, c)
	for _, m := range projections.ReadModels() {
		w.onlyGeneration(t, c, m, 1)
	}
}

// parked makes a company whose projects stand still before the last event but one of
// its log.
func parked(t *testing.T, w *world) (c *tenanttest.Tenant, at int64, stop func()) {
	t.Helper()
	c, ann := w.Company(t, 4)
	at = c.Head() + 1
	poisoned := poisonedProjects(c, at)
	c.CreateProject(t, ann, "The poison")
	c.CreateProject(t, ann, "After it")
	stop = w.Run(t, 50, map[string]message.NoPublishHandlerFunc{"projects": feed.Handle(poisoned.Apply)})
	w.reaches(t, c, at-1, "projects")
	tenanttest.Eventually(t, "projects isn't parked before the poison", func() (parked bool, failures any) {
		var count int
		if err := w.Engine.QueryRow(t.Context(), `select retry_at is not null, failures from checkpoints where tenant_id = $1 and subscription = 'projects'`,
			c.ID.UUID()).Scan(&parked, &count); err != nil {
			t.Fatal(err)
		}
		return parked, fmt.Sprintf("%d failures", count)
	})
	return c, at, stop
}

// A verification compares a parked read model as far as its checkpoint, also where an
// interrupted rebuild is further.
func TestVerifyOfWhatIsParked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, at, stop := parked(t, w)
	stop()
	here := []domain.TenantID{c.ID}
	look := func(want int64) {
		t.Helper()
		named, verdicts, err := verify(t, w.rebuild, here, []string{"projects"}, false)
		if err != nil || int64(len(named)) != want || verdicts[0].Seq != at-1 || verdicts[0].Rows != 4 {
			t.Errorf("named %v, %+v, %v; want %d named of 4 rows at event %d", named, verdicts, err, want, at-1)
		}
		w.onlyGeneration(t, c, modelOf(t, "projects"), 1)
	}
	look(0)
	build, err := tenanttest.StartBuild(t.Context(), w.Engine, c.ID, "projects", modelOf(t, "projects").FoldVersion)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Page(t.Context(), 1000, modelOf(t, "projects").Apply); err != nil || build.Seq() <= at {
		t.Fatalf("the build is at %d, %v; want it past event %d", build.Seq(), err, at)
	}
	build.Close()
	look(0)
	if _, err := w.Engine.Exec(t.Context(), `update projects set name = 'x' where tenant_id = $1 and id = $2`, c.ID.UUID(), c.ProjectIDs[1].UUID()); err != nil {
		t.Fatal(err)
	}
	look(1)
	// What an operator skips is on neither side, before the live subscription goes past it and after.
	if _, err := feed.NewParking(w.Engine).Skip(t.Context(), c.ID, "projects",
		func(context.Context, feed.Parked) (int64, error) { return at + 1, nil }); err != nil {
		t.Fatal(err)
	}
	named, verdicts, err := verify(t, w.rebuild, here, []string{"projects"}, true)
	if err != nil || len(named) != 1 || !verdicts[0].Repaired || verdicts[0].Seq != at {
		t.Errorf("after the skip: named %v, %+v, %v; want one named and repaired, at event %d", named, verdicts, err, at)
	}
	w.onlyGeneration(t, c, modelOf(t, "projects"), 2)
	w.RunAll(t, 50)
	w.Caught(t, c)
	if named, verdicts, err = verify(t, w.rebuild, here, nil, false); err != nil || len(named) > 0 || verdicts[0].Seq != c.Head() {
		t.Errorf("at the end: named %v, %+v, %v; want none, at event %d", named, verdicts, err, c.Head())
	}
}

// One that can't be compared keeps no other from it, and leaves nothing behind.
func TestVerifyThatCouldNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.RunAll(t, 50)
	c, _ := w.Company(t, 3)
	w.Caught(t, c)
	stop()
	here := []domain.TenantID{c.ID}
	var unknown *UnknownModelError
	if _, _, err := verify(t, w.rebuild, here, []string{"nonsense"}, false); !errors.As(err, &unknown) {
		t.Errorf("an unknown model: %v", err)
	}
	var noTenant *eventstore.TenantError
	missing := tenanttest.NewID[domain.TenantID](t)
	if _, verdicts, err := verify(t, w.rebuild, []domain.TenantID{missing, c.ID}, []string{"tasks"}, false); !errors.As(err, &noTenant) ||
		len(verdicts) != 2 || verdicts[0].Err == nil || verdicts[1].Err != nil {
		t.Errorf("beside an unknown tenant: %+v, %v; want two verdicts, the first with the error", verdicts, err)
	}
	// Another builds the same.
	build, err := tenanttest.StartBuild(t.Context(), w.Engine, c.ID, "tasks", 1)
	if err != nil {
		t.Fatal(err)
	}
	var running *feed.BuildRunningError
	var failure *Error
	_, verdicts, err := verify(t, New(w.DB.Engine(t)), here, []string{"tasks", "members"}, false)
	if !errors.As(err, &running) || !errors.As(err, &failure) || failure.Op != OpVerify || failure.Model != "tasks" || failure.Tenant != c.ID || len(verdicts) != 2 {
		t.Errorf("beside a build: %+v, %v; want two verdicts, and tasks refused", verdicts, err)
	}
	build.Close()
	w.sound(t, c)
	w.onlyGeneration(t, c, modelOf(t, "tasks"), 1)
	// An event that the live subscription has folded, and this fold can't.
	if _, err := w.Engine.Exec(t.Context(), `with poison as (insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at, command_id, data, meta)
  select $1, h.seq + 1, e.stream_type, gen_random_uuid(), 1, 'project.updated', e.schema_version, h.at + interval '1 microsecond', gen_random_uuid(), '{"changes": []}', '{}'
  from events e, (select max(seq) as seq, max(occurred_at) as at from events where tenant_id = $1) h
  where e.tenant_id = $1 and e.type = 'project.created' limit 1 returning seq)
update checkpoints set seq = (select seq from poison) where tenant_id = $1`, c.ID.UUID()); err != nil {
		t.Fatal(err)
	}
	_, verdicts, err = verify(t, w.rebuild, here, []string{"projects", "members"}, true)
	if !errors.As(err, &failure) || failure.Op != OpVerify || failure.Model != "projects" || len(verdicts) != 2 {
		t.Errorf("of what can't be folded: %+v, %v; want two verdicts, and projects failed", verdicts, err)
	}
	for _, m := range projections.ReadModels() {
		w.onlyGeneration(t, c, m, 1)
	}
}

// A verification that is interrupted at any step leaves the live rows alone. The next one
// resumes it or starts again.
func TestVerifyInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.RunAll(t, 50)
	c, _ := w.Company(t, 6)
	w.Caught(t, c)
	stop()
	if _, err := w.Engine.Exec(t.Context(), `delete from tasks where tenant_id = $1 and id = $2`, c.ID.UUID(), c.TaskIDs[3].UUID()); err != nil {
		t.Fatal(err)
	}
	spoilt := w.dump(t, c)
	here := []domain.TenantID{c.ID}
	r := &Rebuilder{engine: w.Engine, PageSize: 5, compareRows: 2}
	for kill := 1; ; kill++ {
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		step := func() {
			if steps++; steps == kill {
				cancel()
			}
		}
		// Each kill comes a step later in a verification of its own, which
		// resumes with the rows of the one before, or drops them.
		err := r.Verify(ctx, here, []string{"tasks"}, Verification{
			Progress: func(Progress) { step() }, Difference: func(Difference) { step() }, Verdict: func(Verdict) { step() },
		})
		cancel()
		equal(t, "rows", w.dump(t, c), spoilt)
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) || kill > 100 {
			t.Fatalf("interruption %d ended with %v; want it cancelled, or done after 100 at the most", kill, err)
		}
	}
	w.onlyGeneration(t, c, modelOf(t, "tasks"), 1)
	ctx, cancel := context.WithCancel(t.Context())
	_ = r.Verify(ctx, here, nil, Verification{Progress: func(Progress) { cancel() }})
	if err := r.Rebuild(t.Context(), here, nil, nil); err != nil {
		t.Fatal(err)
	}
	w.isFoldOfLog(t, c, "tasks")
	w.sound(t, c)
	for _, m := range projections.ReadModels() {
		w.onlyGeneration(t, c, m, 2)
	}
}

// Repaired rows of a generation that has never reached the log's end are no more complete
// than before: no query may read them.
func TestRepairOfIncompleteRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.Run(t, 50, projections.Subscriptions())
	c, ann := w.Company(t, 2)
	w.Caught(t, c, "projects", "members")
	stop()
	if err := c.ChangeProject(t, ann, c.ProjectIDs[0], domain.EditProject{Name: domain.To("Renamed")}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Engine.Exec(t.Context(), `update checkpoints set complete = false where tenant_id = $1 and subscription = 'projects'`, c.ID.UUID()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"projects", "members"} {
		if _, err := w.Engine.Exec(t.Context(), `delete from `+table+` where tenant_id = $1`, c.ID.UUID()); err != nil {
			t.Fatal(err)
		}
	}
	_, verdicts, err := verify(t, w.rebuild, []domain.TenantID{c.ID}, []string{"projects", "members"}, true)
	if err != nil || len(verdicts) != 2 || !verdicts[0].Repaired || !verdicts[1].Repaired {
		t.Fatalf("the verdicts are %+v, %v; want two repaired", verdicts, err)
	}
	for model, want := range map[string]bool{"projects": false, "members": true} {
		var complete bool
		if err := w.Engine.QueryRow(t.Context(), `select complete from checkpoints where tenant_id = $1 and subscription = $2`, c.ID.UUID(), model).
			Scan(&complete); err != nil || complete != want {
			t.Errorf("the repaired rows of %s are complete: %t, %v; want %t", model, complete, err, want)
		}
	}
}
