package httpapi

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"docket/domain"
)

// statuses are those of a bulk's items.
func (a *answer) statuses() []int {
	a.w.Helper()
	var out []int
	for i, item := range as[taskResultsBody](a.want(200)).Items {
		out = append(out, item.Status)
		if done := item.Status < 300; done != (item.Body.Value != nil) || done == (item.Problem.Value != nil) {
			a.w.Errorf("%s: item %d: %s", a.call, i, a.Body)
		}
	}
	return out
}

// wantStatuses fails the test unless these are the items'.
func (a *answer) wantStatuses(want ...int) []taskResultBody {
	a.w.Helper()
	if got := a.statuses(); !slices.Equal(got, want) {
		a.w.Fatalf("%s: got %v, want %v: %s", a.call, got, want, a.Body)
	}
	return as[taskResultsBody](a).Items
}

// bulkOf is a bulk of items, each JSON.
func bulkOf(atomic bool, items ...string) string {
	return fmt.Sprintf(`{"atomic":%t,"items":[%s]}`, atomic, strings.Join(items, ","))
}

// A bulk makes and changes tasks, in order, one by one or all at once; each item has the
// answer that it would have had alone.
func TestTasksBulk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	member, manager, viewer := c.as(domain.Member), c.as(domain.Manager), c.as(domain.Viewer)
	open, closed := manager.project("Open").ID.String(), manager.project("Closed")
	lost := manager.task(closed.ID, "Lost").ID.String()
	manager.move(closed.ID, domain.Cancelled)
	in := func(project, more string) string {
		return `{"project_id":"` + project + `","title":"Task"` + more + `}`
	}
	items := []string{in(open, `,"labels":["a"]`), in(random(), ""), in(closed.ID.String(), ""), in(open, `,"assignee_id":"`+viewer.id.String()+`"`), in(open, `,"priority":"high"`)}
	before := w.events()
	made := member.post("/v1/tasks/bulk", bulkOf(false, items...))
	got := made.wantStatuses(201, 404, 409, 422, 201)
	if code := got[2].Problem.Value.Code; code != domain.CodeProjectClosed || got[3].Problem.Value.Errors[0].Pointer != "/items/3/assignee_id" {
		t.Errorf("%s", made.Body)
	}
	if w.events()-before != 2 || got[0].Body.Value.Priority != domain.Normal || got[4].Body.Value.Priority != domain.High {
		t.Errorf("%d events: %s", w.events()-before, made.Body)
	}
	list := member.get(fmt.Sprintf("/v1/projects/%s/tasks?min_seq=%d", open, made.seq()))
	if n := len(as[struct{ Items []taskBody }](list.want(200)).Items); n != 2 {
		t.Errorf("%d tasks", n)
	}

	before = w.events()
	all := member.post("/v1/tasks/bulk", bulkOf(true, items...))
	got = all.wantStatuses(424, 404, 409, 422, 424)
	if got[0].Problem.Value.Code != domain.CodeOtherItemRefused || all.Header().Get("Docket-Seq") != "" || w.events() != before {
		t.Errorf("%v %s", all.Header(), all.Body)
	}
	all = member.post("/v1/tasks/bulk", bulkOf(true, items[0], items[4]))
	got = all.wantStatuses(201, 201)
	if w.events()-before != 2 || all.seq() != w.head(c.id) {
		t.Errorf("%d events, seq %d", w.events()-before, all.seq())
	}

	first, second := got[0].Body.Value.ID.String(), got[1].Body.Value.ID.String()
	change := func(id, more string) string { return `{"id":"` + id + `"` + more + `}` }
	edits := []string{change(first, `,"status":"done","version":1`), change(second, `,"title":"New","version":7`), change(lost, `,"title":"x"`), change(random(), "")}
	member.patch("/v1/tasks/bulk", bulkOf(true, edits...)).wantStatuses(424, 412, 409, 404)
	got = member.patch("/v1/tasks/bulk", bulkOf(false, edits...)).wantStatuses(200, 412, 409, 404)
	if b := got[0].Body.Value; b.Status != domain.Done || b.Version != 2 || got[1].Problem.Value.Code != domain.CodeVersionConflict {
		t.Errorf("%+v", got)
	}
	before = w.events()
	same := member.patch("/v1/tasks/bulk", bulkOf(true, change(first, `,"status":"done"`), change(second, "")))
	same.wantStatuses(200, 200)
	if w.events() != before || same.seq() < 1 {
		t.Errorf("a change of nothing left %d events", w.events()-before)
	}
	viewer.patch("/v1/tasks/bulk", bulkOf(false, edits...)).refused(domain.CodeInsufficientRole)
}

// Shapes are checked before anything is done.
func TestBulkShapes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("Ann")
	project := ann.project("Site").ID
	task := ann.task(project, "Task").ID.String()
	good, bad := `{"project_id":"`+project.String()+`","title":"Task"}`, `{"project_id":"`+project.String()+`","title":" "}`
	before := w.events()
	ann.post("/v1/tasks/bulk", bulkOf(false, good, good, good, bad, bad)).invalid("/items/3/title too_short", "/items/4/title too_short")
	ann.post("/v1/tasks/bulk", bulkOf(false)).invalid("/items too_short")
	ann.post("/v1/tasks/bulk", bulkOf(false, slices.Repeat([]string{good}, 101)...)).invalid("/items too_long")
	ann.patch("/v1/tasks/bulk", bulkOf(false, `{"id":"`+task+`"}`, `{"id":"`+random()+`"}`, `{"id":"`+strings.ToUpper(task)+`"}`)).invalid("/items/2/id duplicate")
	if w.events() != before {
		t.Error("something was done")
	}
	ann.post("/v1/tasks/bulk", bulkOf(false, slices.Repeat([]string{good}, 100)...)).wantStatuses(slices.Repeat([]int{201}, 100)...)
}

// Requests with one key at once carry out each item once, and answer the same.
func TestBulkUnderOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("Ann")
	good := `{"project_id":"` + ann.project("Site").ID.String() + `","title":"Task"}`
	for _, atomic := range []bool{false, true} {
		body, key := bulkOf(atomic, good, good, good, good), fmt.Sprint("atomic ", atomic)
		before := w.events()
		answers := make([]*answer, 6)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = ann.post("/v1/tasks/bulk", body, idempotencyHeader, key) })
		}
		all.Wait()
		for _, a := range answers {
			a.wantStatuses(201, 201, 201, 201)
			if a.Body.String() != answers[0].Body.String() || a.seq() != answers[0].seq() {
				t.Errorf("%s\n%s", answers[0].Body, a.Body)
			}
		}
		if n := w.events() - before; n != 4 {
			t.Errorf("%d events", n)
		}
		ann.post("/v1/tasks/bulk", bulkOf(atomic, good), idempotencyHeader, key).refused(domain.CodeIdempotencyKeyReused)
		ann.post("/v1/tasks/bulk", body, idempotencyHeader, key).repeats(answers[0])
	}
}

// A member has one notification of all that a bulk assigns to them.
func TestBulkNotifiesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	manager, member, owner := c.as(domain.Manager), c.as(domain.Member), c.as(domain.Owner)
	one, two := manager.project("One").ID.String(), manager.project("Two").ID.String()
	assign := func(project string, to person) string {
		return `{"project_id":"` + project + `","title":"Task","assignee_id":"` + to.id.String() + `"}`
	}
	read := func(p person, after *answer) []notificationBody {
		w.caughtUp(c.id, after.seq())
		return items[notificationBody](p.get("/v1/notifications"))
	}
	all := append(slices.Repeat([]string{assign(one, member)}, 98), assign(two, owner), assign(one, owner))
	made := manager.post("/v1/tasks/bulk", bulkOf(false, all...))
	got := read(member, made)
	if len(got) != 1 || got[0].Title != "98 tasks are assigned to you" || !strings.Contains(got[0].Body, `in project "One"`) || got[0].EntityID.String() != one {
		t.Errorf("%+v", got)
	}
	got = read(owner, made)
	if len(got) != 1 || got[0].Title != "2 tasks are assigned to you" || got[0].ProjectID != nil || !strings.Contains(got[0].Body, "several projects") {
		t.Errorf("%+v", got)
	}
	got = read(member, manager.post("/v1/tasks/bulk", bulkOf(true, assign(one, member))))
	if len(got) != 2 || got[0].Title != `Task "Task" is assigned to you` {
		t.Errorf("%+v", got)
	}
}
