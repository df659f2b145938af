package projections

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"

	"pgregory.net/rapid"
)

// Any filters in any order, in pages of any length, are what a plain selection and sort of
// all tasks gives; and so are they as of the head. Few tasks make every filter let few pass,
// so each statement is asked a second time as where all let many pass.
func TestTaskListsEqualThePlainOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	users := []domain.UserID{ann, tenanttest.NewID[domain.UserID](t), tenanttest.NewID[domain.UserID](t)}
	for i, u := range users[1:] {
		c.Join(t, u, fmt.Sprint("User ", i), domain.Member)
	}
	projects := []domain.ProjectID{c.CreateProject(t, ann, "one"), c.CreateProject(t, ann, "two"), c.CreateProject(t, ann, "gone")}
	days := []domain.Date{"2026-12-31", "2027-01-01", "2027-01-02"}
	for i := range 40 {
		command := domain.CreateTask{
			Title: string(rune('a'+i*7%5)) + "Ä"[:i%2*2], Priority: domain.Priorities()[i*5%4], Labels: [][]string{nil, {"x"}, {"y", "x"}}[i%3],
		}
		if n := i % 4; n < len(users) {
			command.AssigneeID, command.Assignee = &users[n], c.Members[users[n]]
		}
		if n := i * 3 % 7; n < len(days) {
			command.DueDate = &days[n]
		}
		c.CreateTask(t, users[i*3%4%3], projects[i%3], command)
	}
	for i, id := range c.TaskIDs {
		if i%3 > 0 {
			edit := domain.EditTask{Project: c.Projects[c.Tasks[id].ProjectID], Status: domain.To(domain.TaskStatuses()[i%3])}
			if err := c.ChangeTask(t, ann, id, edit); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.ChangeProject(t, ann, projects[2], domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	w.Caught(t, c)
	s := c.Scope(t, ann)
	var all []domain.Task
	for _, id := range c.TaskIDs {
		if k := c.Tasks[id]; !k.Deleted && k.ProjectID != projects[2] {
			all = append(all, k)
		}
	}
	some := func(t *rapid.T, name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
	rapid.Check(t, func(rt *rapid.T) {
		var f TaskFilter
		switch rapid.IntRange(0, 5).Draw(rt, "project") {
		case 0:
			f.ProjectID = &projects[0]
		case 1:
			f.ProjectIDs = subset(rt, projects)
		}
		if some(rt, "statuses") {
			f.Statuses = subset(rt, domain.TaskStatuses())
		}
		if some(rt, "assignees") {
			f.AssigneeIDs = subset(rt, users)
		}
		f.Unassigned = some(rt, "unassigned")
		if some(rt, "creators") {
			f.CreatedBy = subset(rt, users)
		}
		if some(rt, "priorities") {
			f.Priorities = subset(rt, domain.Priorities())
		}
		if some(rt, "labels") {
			f.Labels = subset(rt, []string{"x", "y", "z"})
		}
		if some(rt, "after") {
			f.Due.After = &rapid.SampledFrom([][]domain.Date{days}).Draw(rt, "days")[rapid.IntRange(0, 2).Draw(rt, "day")]
		}
		if some(rt, "before") {
			f.Due.Before = &days[rapid.IntRange(0, 2).Draw(rt, "day")]
		}
		f.Due.None = some(rt, "no due date")
		if some(rt, "since") {
			f.UpdatedSince = new(rapid.SampledFrom(all).Draw(rt, "since").UpdatedAt)
		}
		o := Order{rapid.SampledFrom([]Sort{ByCreated, ByUpdated, ByDue, ByPriority, ByTitle}).Draw(rt, "by"), rapid.Bool().Draw(rt, "descending")}
		want := []domain.Task{}
		for _, k := range all {
			if plainlyFits(f, k) {
				want = append(want, k)
			}
		}
		slices.SortFunc(want, func(a, b domain.Task) int {
			n := cmp.Or(plainCompare(o.By, a, b), compareIDs(a.ID, b.ID))
			if o.Descending {
				return -n
			}
			return n
		})
		limit := rapid.SampledFrom([]int{1, 2, 3, 7, 50}).Draw(rt, "limit")
		live := func(p Page) ([]domain.Task, *Keyset, error) { return w.queries.Tasks(t.Context(), s, f, o, p, Fresh{}) }
		then := func(p Page) ([]domain.Task, *Keyset, error) {
			return w.queries.TasksAsOf(t.Context(), s, f, o, p, c.Head())
		}
		reads := map[string]func(Page) ([]domain.Task, *Keyset, error){"live": live, "as of the head": then}
		if f.Labels == nil {
			reads["as of many"] = func(p Page) ([]domain.Task, *Keyset, error) {
				sql := strings.ReplaceAll(f.plan(o).sql(), "count(*) > 1000", "count(*) >= 0")
				look := searching[domain.Task]{what: "tasks", model: tasks, key: taskSortings[o.By].key, args: f.args(c.ID)}
				return look.list(t.Context(), w.queries, s, p, f.start(p, o), sql)
			}
		}
		for name, read := range reads {
			got := pages(t, limit, read)
			if !slices.EqualFunc(got, want, func(a, b domain.Task) bool { return a.ID == b.ID }) {
				rt.Fatalf("%s: %+v by %v in pages of %d: got %v, want %v", name, f, o, limit, titlesOf(got), titlesOf(want))
			}
		}
	})
}

// subset is some of the values, maybe none.
func subset[T any](t *rapid.T, values []T) []T {
	out := []T{}
	for _, v := range values {
		if rapid.Bool().Draw(t, "in") {
			out = append(out, v)
		}
	}
	return out
}

func titlesOf(list []domain.Task) (out []string) {
	for _, k := range list {
		out = append(out, k.Title+" "+k.ID.String()[24:])
	}
	return out
}

// plainlyFits is the filter, said another way than by the code.
func plainlyFits(f TaskFilter, k domain.Task) bool {
	no := func(asked bool, found bool) bool { return asked && !found }
	assignee := domain.UserID{}
	if k.AssigneeID != nil {
		assignee = *k.AssigneeID
	}
	due := dueOrLast(k.DueDate)
	switch {
	case f.ProjectID != nil && *f.ProjectID != k.ProjectID,
		no(f.ProjectIDs != nil, slices.Contains(f.ProjectIDs, k.ProjectID)),
		no(f.Statuses != nil, slices.Contains(f.Statuses, k.Status)),
		no(f.Priorities != nil, slices.Contains(f.Priorities, k.Priority)),
		no(f.CreatedBy != nil, slices.Contains(f.CreatedBy, k.CreatedBy)),
		no(f.AssigneeIDs != nil || f.Unassigned, assignee.IsZero() && f.Unassigned || slices.Contains(f.AssigneeIDs, assignee)),
		no(f.Labels != nil, slices.ContainsFunc(f.Labels, func(l string) bool { return slices.Contains(k.Labels, l) })),
		no(f.Due.None, k.DueDate == nil),
		no(f.Due.After != nil, k.DueDate != nil && f.Due.After != nil && due > string(*f.Due.After)),
		no(f.Due.Before != nil, k.DueDate != nil && f.Due.Before != nil && due < string(*f.Due.Before)),
		f.UpdatedSince != nil && k.UpdatedAt.Before(*f.UpdatedSince):
		return false
	}
	return true
}

func plainCompare(by Sort, a, b domain.Task) int {
	switch by {
	case ByUpdated:
		return a.UpdatedAt.Compare(b.UpdatedAt)
	case ByDue:
		return strings.Compare(dueOrLast(a.DueDate), dueOrLast(b.DueDate))
	case ByTitle:
		return strings.Compare(a.Title, b.Title)
	case ByPriority:
		n := cmp.Compare(slices.Index(domain.Priorities(), a.Priority), slices.Index(domain.Priorities(), b.Priority))
		return cmp.Or(n, a.CreatedAt.Compare(b.CreatedAt))
	}
	return a.CreatedAt.Compare(b.CreatedAt)
}
