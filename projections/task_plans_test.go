package projections

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"docket/domain"

	"github.com/google/uuid"
)

// taskOrders are all orders of tasks.
func taskOrders() iter.Seq[Order] {
	return func(yield func(Order) bool) {
		for by := range taskSortings {
			for _, descending := range []bool{false, true} {
				if !yield(Order{By: by, Descending: descending}) {
					return
				}
			}
		}
	}
}

// taskFilters are all combinations of filters: of each kind none, one value, several, and
// what else there is.
func taskFilters() iter.Seq[TaskFilter] {
	var (
		p, u = domain.ProjectID(uuid.Max), domain.UserID(uuid.Max)
		day  = domain.Date("2027-01-01")
		now  = time.Unix(0, 0)
	)
	parts := [][]func(*TaskFilter){
		{nil, func(f *TaskFilter) { f.ProjectID = &p }, func(f *TaskFilter) { f.ProjectIDs = []domain.ProjectID{p} }, func(f *TaskFilter) { f.ProjectIDs = []domain.ProjectID{p, p} }},
		{nil, func(f *TaskFilter) { f.AssigneeIDs = []domain.UserID{u} }, func(f *TaskFilter) { f.AssigneeIDs = []domain.UserID{u, u} },
			func(f *TaskFilter) { f.Unassigned = true }, func(f *TaskFilter) { f.AssigneeIDs, f.Unassigned = []domain.UserID{u}, true }},
		{nil, func(f *TaskFilter) { f.CreatedBy = []domain.UserID{u} }, func(f *TaskFilter) { f.CreatedBy = []domain.UserID{u, u} }},
		{nil, func(f *TaskFilter) { f.Statuses = []domain.TaskStatus{domain.Todo} }},
		{nil, func(f *TaskFilter) { f.Priorities = []domain.Priority{domain.Low} }},
		{nil, func(f *TaskFilter) { f.Due.None = true }, func(f *TaskFilter) { f.Due.Before = &day }},
		{nil, func(f *TaskFilter) { f.UpdatedSince = &now }},
		{nil, func(f *TaskFilter) { f.Labels = []string{"x"} }},
	}
	return func(yield func(TaskFilter) bool) {
		var more func(TaskFilter, int) bool
		more = func(f TaskFilter, i int) bool {
			if i == len(parts) {
				return yield(f)
			}
			for _, set := range parts[i] {
				next := f
				if set != nil {
					set(&next)
				}
				if !more(next, i+1) {
					return false
				}
			}
			return true
		}
		more(TaskFilter{}, 0)
	}
}

// searchPlans are those of searches with any filters.
func searchPlans() iter.Seq[taskPlan] {
	all := map[taskPlan]bool{}
	for f := range taskFilters() {
		all[newestTasks(f)] = true
	}
	return maps.Keys(all)
}

// orderIndex is the index of an order.
func orderIndex(table string, o Order) string {
	return table + "_by_" + strings.TrimSuffix(strings.TrimSuffix(string(o.By), "_at"), "_date")
}

func (w taskWalk) index(o Order) string {
	switch {
	case w == throughProject:
		return "tasks_by_project"
	case w == throughAssignee:
		return "tasks_by_assignee"
	case w == throughCreator:
		return "tasks_by_creator"
	case w == throughFacets, o.By == ByPriority:
		return "tasks_by_status"
	}
	return orderIndex("tasks", o)
}

func (k taskFilterKind) index() string {
	return map[taskFilterKind]string{
		projectFilter: "tasks_by_project", assigneeFilter: "tasks_by_assignee", unassignedFilter: "tasks_by_assignee",
		creatorFilter: "tasks_by_creator", priorityFilter: "tasks_by_status", updatedFilter: "tasks_by_updated", dueFilter: "tasks_by_due",
	}[k]
}

// planNode is one line of a plan and those below it.
type planNode struct {
	text  string
	below []*planNode
}

// parsePlan reads the indented lines of EXPLAIN.
func parsePlan(text string) *planNode {
	type open struct {
		indent int
		node   *planNode
	}
	root := &planNode{}
	stack := []open{{-1, root}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		trimmed := strings.TrimLeft(line, " ")
		node := &planNode{text: strings.TrimPrefix(trimmed, "->  ")}
		indent := len(line) - len(trimmed)
		for stack[len(stack)-1].indent >= indent {
			stack = stack[:len(stack)-1]
		}
		above := stack[len(stack)-1].node
		above.below = append(above.below, node)
		stack = append(stack, open{indent, node})
	}
	return root
}

func (n *planNode) each(visit func(*planNode)) {
	visit(n)
	for _, b := range n.below {
		b.each(visit)
	}
}

func (n *planNode) has(prefix string) bool {
	found := false
	n.each(func(n *planNode) { found = found || strings.HasPrefix(n.text, prefix) })
	return found
}

// filters says whether the rows of a scan are looked through for something.
func (n *planNode) filters(text string) bool {
	return slices.ContainsFunc(n.below, func(b *planNode) bool {
		return strings.HasPrefix(b.text, "Filter: ") && strings.Contains(b.text, text)
	})
}

// All combinations of filters and orders: the walk goes through its order's index, what a
// filter lets pass is read by the filter's, and only that is sorted, or what has a limit.
func TestPlansOfTaskLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plans, filters := map[taskPlan]bool{}, 0
	for f := range taskFilters() {
		for o := range taskOrders() {
			plans[f.plan(o)] = true
			filters++
		}
	}
	t.Logf("%d combinations have %d statements", filters, len(plans))
	conn, err := w.API.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), listScopeSQL+"; set plan_cache_mode = force_generic_plan; set enable_seqscan = off"); err != nil {
		t.Fatal(err)
	}
	for p := range plans {
		text := plan(t, w.API, p.sql(), "")
		fail := func(format string, args ...any) {
			t.Errorf("%+v: %s\n%s", p, fmt.Sprintf(format, args...), text)
		}
		tree := parsePlan(text)
		if want := p.walk.index(p.order); !strings.Contains(text, want) {
			fail("the plan doesn't use %s", want)
		}
		for _, k := range p.few {
			if !strings.Contains(text, k.index()) {
				fail("the plan doesn't use %s", k.index())
			}
		}
		tree.each(func(n *planNode) {
			switch {
			case strings.Contains(n.text, "Seq Scan"):
				fail("there is a sequential scan")
			case strings.HasPrefix(n.text, "Sort  ") && !n.has("Limit  "):
				fail("an unbounded sort") // few, and what each walk gives, have a limit
			case strings.HasPrefix(n.text, "Index Scan using ") && n.filters("ROW("):
				fail("the keyset is no condition of the index")
			}
		})
		if t.Failed() {
			break
		}
	}
}

// A page of projects begins at its place in its order's index.
func TestPlansOfProjectLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for o, sql := range projectListings {
		text := plan(t, w.API, sql, byKey)
		if !strings.Contains(text, orderIndex("projects", o)) {
			t.Errorf("%+v: the plan doesn't use its index\n%s", o, text)
		}
		parsePlan(text).each(func(n *planNode) {
			if n.filters("ROW(") {
				t.Errorf("%+v: the keyset is no condition of the index\n%s", o, text)
			}
		})
	}
}
