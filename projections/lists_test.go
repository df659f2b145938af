package projections

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"

	"github.com/google/uuid"
)

// pages reads a whole list in pages, taking each keyset through JSON as a cursor does.
func pages[R any](t *testing.T, limit int, read func(Page) ([]R, *Keyset, error)) []R {
	t.Helper()
	all := []R{}
	for p := (Page{Limit: limit}); ; {
		items, next, err := read(p)
		if err != nil {
			t.Fatal(err)
		}
		if items == nil {
			t.Fatal("a page is null, not empty")
		}
		if len(items) > limit || next != nil && len(items) < limit {
			t.Fatalf("a page of %d, asked for %d", len(items), limit)
		}
		if all = append(all, items...); len(all) > 1000 {
			t.Fatal("the pages don't come to an end")
		}
		if next == nil {
			return all
		}
		text, err := json.Marshal(next)
		if err != nil {
			t.Fatal(err)
		}
		p.After = new(Keyset)
		if err := json.Unmarshal(text, p.After); err != nil {
			t.Fatal(err)
		}
	}
}

// compareIDs orders ids as Postgres does.
func compareIDs[ID ~[16]byte](a, b ID) int { return slices.Compare(a[:], b[:]) }

func TestProjectLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	bob := tenanttest.NewID[domain.UserID](t)
	c.Join(t, bob, "Bob", domain.Member)
	other, bea := w.Found(t, "other")
	other.CreateProject(t, bea, "Theirs")
	for i, name := range []string{"b", "a", "b", "Ä", "z", "B", "é", "b", "\U0010FFFD", "aa"} {
		p := c.CreateProject(t, []domain.UserID{ann, bob}[i%2], name)
		if i%3 == 0 {
			if err := c.ChangeProject(t, ann, p, domain.EditProject{Visibility: domain.To(domain.Public), DueDate: domain.To(new(domain.Date(fmt.Sprintf("2027-01-%02d", 10-i))))}); err != nil {
				t.Fatal(err)
			}
		}
		if i%4 == 0 {
			if err := c.ChangeProject(t, ann, p, domain.MoveProject{To: domain.Submitted}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.ChangeProject(t, ann, c.ProjectIDs[4], domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	w.Caught(t, c)
	w.Caught(t, other)

	var all []domain.Project
	for _, p := range c.Projects {
		if p.Exists() {
			all = append(all, p)
		}
	}
	orders := map[Sort]func(a, b domain.Project) int{
		ByCreated: func(a, b domain.Project) int { return a.CreatedAt.Compare(b.CreatedAt) },
		ByUpdated: func(a, b domain.Project) int { return a.UpdatedAt.Compare(b.UpdatedAt) },
		ByName:    func(a, b domain.Project) int { return cmp.Compare(a.Name, b.Name) },
		ByDue:     func(a, b domain.Project) int { return cmp.Compare(dueOrLast(a.DueDate), dueOrLast(b.DueDate)) },
	}
	submitted, public := domain.Submitted, domain.Public
	filters := map[string]struct {
		filter ProjectFilter
		fits   func(domain.Project) bool
	}{
		"all":       {ProjectFilter{}, func(domain.Project) bool { return true }},
		"submitted": {ProjectFilter{Statuses: []domain.Status{submitted}}, func(p domain.Project) bool { return p.Status == submitted }},
		"Bob's":     {ProjectFilter{OwnerIDs: []domain.UserID{bob}}, func(p domain.Project) bool { return p.OwnerID == bob }},
		"public":    {ProjectFilter{Visibilities: []domain.Visibility{public}}, func(p domain.Project) bool { return p.Visibility == public }},
		"submitted, public, Ann's": {ProjectFilter{Statuses: []domain.Status{submitted}, Visibilities: []domain.Visibility{public}, OwnerIDs: []domain.UserID{ann}}, func(p domain.Project) bool {
			return p.Status == submitted && p.Visibility == public && p.OwnerID == ann
		}},
	}
	for order := range projectListings {
		for name, f := range filters {
			for _, limit := range []int{1, 2, 3, 9, 10} {
				want := []domain.Project{}
				for _, p := range all {
					if f.fits(p) {
						want = append(want, p)
					}
				}
				slices.SortFunc(want, func(a, b domain.Project) int {
					n := cmp.Or(orders[order.By](a, b), compareIDs(a.ID, b.ID))
					if order.Descending {
						return -n
					}
					return n
				})
				got := pages(t, limit, func(p Page) ([]domain.Project, *Keyset, error) {
					return w.queries.Projects(t.Context(), c.Scope(t, bob), f.filter, order, p, Fresh{})
				})
				if !slices.EqualFunc(got, want, func(a, b domain.Project) bool { return a.ID == b.ID }) {
					t.Errorf("%s by %v in pages of %d: got %v, want %v", name, order, limit, names(got), names(want))
				}
			}
		}
	}

	catalog := pages(t, 2, func(p Page) ([]domain.Project, *Keyset, error) { return w.queries.Catalog(t.Context(), c.ID, p) })
	want := pages(t, 100, func(p Page) ([]domain.Project, *Keyset, error) {
		return w.queries.Projects(t.Context(), c.Scope(t, bob), ProjectFilter{Visibilities: []domain.Visibility{public}}, Order{}, p, Fresh{})
	})
	same(t, catalog, want)
	if len(catalog) == 0 {
		t.Error("the catalog is empty")
	}
	nowhere, _, err := w.queries.Catalog(t.Context(), tenanttest.NewID[domain.TenantID](t), Page{})
	if err != nil || len(nowhere) != 0 {
		t.Errorf("the catalog of no tenant: %v, %v", nowhere, err)
	}
	if _, _, err := w.queries.Projects(t.Context(), c.Scope(t, bob), ProjectFilter{}, Order{By: "owner_id"}, Page{}, Fresh{}); err == nil {
		t.Error("an order that isn't one is taken")
	}
}

func names(list []domain.Project) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return out
}

// An item that is inserted, changed or deleted between two pages moves no other
// from one page to the next.
func TestPagesHoldStill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	for i := range 6 {
		c.CreateProject(t, ann, fmt.Sprint(i))
	}
	w.Caught(t, c)
	s := c.Scope(t, ann)
	_, next, err := w.queries.Projects(t.Context(), s, ProjectFilter{}, Order{By: ByName}, Page{Limit: 3}, Fresh{})
	if err != nil || next == nil {
		t.Fatal(next, err)
	}
	// The very item on which the first page ended goes, and one comes before it.
	if err := c.ChangeProject(t, ann, c.ProjectIDs[2], domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	c.CreateProject(t, ann, "0 and a half")
	w.Caught(t, c)
	rest, next, err := w.queries.Projects(t.Context(), s, ProjectFilter{}, Order{By: ByName}, Page{Limit: 3, After: next}, Fresh{})
	if err != nil || next != nil || !slices.Equal(names(rest), []string{"3", "4", "5"}) {
		t.Fatalf("got %v, %v, %v", names(rest), next, err)
	}
}

func TestTaskLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	bob := tenanttest.NewID[domain.UserID](t)
	c.Join(t, bob, "Bob", domain.Member)
	first, second, gone := c.CreateProject(t, ann, "first"), c.CreateProject(t, ann, "second"), c.CreateProject(t, ann, "gone")
	for i := range 20 {
		command := domain.CreateTask{
			Title: fmt.Sprint(i), Priority: []domain.Priority{domain.Low, domain.Urgent}[i/2%2], Labels: [][]string{nil, {"x"}, {"y", "x"}}[i%3],
		}
		if i%2 == 0 {
			command.AssigneeID, command.Assignee = &bob, c.Members[bob]
		}
		if i%4 > 0 {
			due := domain.Date(fmt.Sprintf("202%d-0%d-01", i%2, 1+i%3))
			command.DueDate = &due
		}
		id := c.CreateTask(t, ann, []domain.ProjectID{first, second, gone}[i%3], command)
		if i%5 == 0 {
			if err := c.ChangeTask(t, ann, id, domain.EditTask{Project: c.Projects[c.Tasks[id].ProjectID], Status: domain.To(domain.Done)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.ChangeTask(t, ann, c.TaskIDs[3], domain.DeleteTask{Project: c.Projects[first]}); err != nil {
		t.Fatal(err)
	}
	if err := c.ChangeProject(t, ann, gone, domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	w.Caught(t, c)

	done, urgent, label, day := domain.Done, domain.Urgent, "x", domain.Date("2021-02-01")
	for name, f := range map[string]struct {
		filter TaskFilter
		fits   func(domain.Task) bool
	}{
		"all":        {TaskFilter{}, func(domain.Task) bool { return true }},
		"first's":    {TaskFilter{ProjectID: &first}, func(k domain.Task) bool { return k.ProjectID == first }},
		"Bob's":      {TaskFilter{AssigneeIDs: []domain.UserID{bob}}, func(k domain.Task) bool { return k.AssigneeID != nil }},
		"done":       {TaskFilter{Statuses: []domain.TaskStatus{done}}, func(k domain.Task) bool { return k.Status == done }},
		"urgent":     {TaskFilter{Priorities: []domain.Priority{urgent}}, func(k domain.Task) bool { return k.Priority == urgent }},
		"x":          {TaskFilter{Labels: []string{label}}, func(k domain.Task) bool { return slices.Contains(k.Labels, "x") }},
		"due before": {TaskFilter{Due: DueFilter{Before: &day}}, func(k domain.Task) bool { return k.DueDate != nil && *k.DueDate < day }},
		"Bob's, due before": {TaskFilter{AssigneeIDs: []domain.UserID{bob}, Due: DueFilter{Before: &day}}, func(k domain.Task) bool {
			return k.AssigneeID != nil && k.DueDate != nil && *k.DueDate < day
		}},
		"second's, Bob's, x": {TaskFilter{ProjectID: &second, AssigneeIDs: []domain.UserID{bob}, Labels: []string{label}}, func(k domain.Task) bool {
			return k.ProjectID == second && k.AssigneeID != nil && slices.Contains(k.Labels, "x")
		}},
	} {
		want := []domain.Task{}
		for _, id := range c.TaskIDs {
			if k := c.Tasks[id]; !k.Deleted && k.ProjectID != gone && f.fits(k) {
				want = append(want, k)
			}
		}
		if len(want) == 0 {
			t.Errorf("%s: the test has nothing to find", name)
		}
		for _, limit := range []int{1, 3, 50} {
			got := pages(t, limit, func(p Page) ([]domain.Task, *Keyset, error) {
				return w.queries.Tasks(t.Context(), c.Scope(t, bob), f.filter, Order{}, p, Fresh{})
			})
			same(t, got, want)
		}
	}
	for name, id := range map[string]domain.ProjectID{"a deleted": gone, "no": tenanttest.NewID[domain.ProjectID](t)} {
		if _, _, err := w.queries.Tasks(t.Context(), c.Scope(t, bob), TaskFilter{ProjectID: &id}, Order{}, Page{}, Fresh{}); err == nil {
			t.Errorf("tasks of %s project are listed", name)
		} else {
			isNotFound(t, err)
		}
	}
}

func TestMemberList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	for i := range 5 {
		c.Join(t, tenanttest.NewID[domain.UserID](t), fmt.Sprint("Member ", i), domain.Viewer)
	}
	if err := c.ChangeMember(t, ann, c.UserIDs[2], domain.RemoveMember{}); err != nil {
		t.Fatal(err)
	}
	c.Join(t, c.UserIDs[2], "Back again", domain.Member)
	if err := c.ChangeMember(t, ann, c.UserIDs[4], domain.RemoveMember{}); err != nil {
		t.Fatal(err)
	}
	w.Caught(t, c)
	want := []domain.Membership{}
	for _, i := range []int{0, 1, 3, 5, 2} {
		want = append(want, c.Members[c.UserIDs[i]])
	}
	same(t, pages(t, 2, func(p Page) ([]domain.Membership, *Keyset, error) {
		return w.queries.Members(t.Context(), c.Scope(t, ann), MemberFilter{}, p, Fresh{})
	}), want)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for asked, want := range map[int]int{-1: DefaultLimit, 0: DefaultLimit, 1: 1, MaxLimit: MaxLimit, MaxLimit + 1: MaxLimit} {
		if got := (Page{Limit: asked}).limit(); got != want {
			t.Errorf("limit %d is taken as %d", asked, got)
		}
	}
	if lastText.ID != uuid.Max || len([]rune(lastText.Value)) <= domain.MaxName {
		t.Error("a name may stand behind the last")
	}
}

// dueOrLast is a due date, or what sorts after all.
func dueOrLast(d *domain.Date) string {
	if d == nil {
		return "9999-99-99"
	}
	return string(*d)
}
