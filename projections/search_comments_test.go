package projections

import (
	"strings"
	"testing"

	"docket/domain"
	"docket/projections/fulltext"
)

// A task is found by its comments, after those with the words in their titles, and once
// however many match; each text by itself; not by what a comment said before it was edited
// or deleted, not after its task or project was, and in no other scope.
func TestSearchComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	other, bea := w.Found(t, "other")
	p, second := c.CreateProject(t, ann, "Website"), c.CreateProject(t, ann, "Second")
	add := func(p domain.ProjectID, title string, labels ...string) domain.TaskID {
		return c.CreateTask(t, ann, p, domain.CreateTask{Title: title, Labels: labels, Priority: domain.Normal})
	}
	say := func(k domain.TaskID, body string) domain.CommentID {
		return c.CreateComment(t, ann, k, body)
	}
	login, zebra, both, elsewhere := add(p, "Login fails", "bug"), add(p, "zebra"), add(p, "Another"), add(second, "Elsewhere")
	first := say(login, "Only in Safari, a zebra says")
	say(login, "Café closed")
	say(both, "Safari here, Firefox there")
	say(both, "And Safari again")
	say(zebra, "a zebra, a zebra")
	say(elsewhere, "The lion sleeps")
	foreign := other.CreateTask(t, bea, other.CreateProject(t, bea, "Theirs"), domain.CreateTask{Title: "Theirs", Priority: domain.Normal})
	other.CreateComment(t, bea, foreign, "Safari, zebra, lion")
	s := c.Scope(t, ann)
	check := func(f TaskFilter, q, want string) {
		t.Helper()
		w.Caught(t, c)
		f.Query = &q
		for _, limit := range []int{1, 2, 50} {
			if got := strings.Join(w.searchTasks(t, s, f, limit), "|"); got != want {
				t.Errorf("%s in pages of %d: got %q, want %q", q, limit, got, want)
			}
		}
		in := fulltext.ScopeOf(c.ID, fulltext.Tasks)
		walk := searching[domain.Task]{
			what: "tasks", kind: fulltext.Tasks, model: tasks, newest: newestTasks(f).sql(), key: taskSortings[ByCreated].key,
			facets: taskFacets(in, f), args: f.args(c.ID),
		}
		newest := map[string]bool{}
		for _, k := range pages(t, 2, func(p Page) ([]domain.Task, *Keyset, error) {
			if p.After == nil {
				return walk.fromNewest(t.Context(), w.queries, s, fulltext.Parse(q), p, lastTime)
			}
			return walk.answer(t.Context(), w.queries, s, fulltext.Parse(q), p)
		}) {
			newest[k.Title] = true
		}
		titles := strings.FieldsFunc(want, func(r rune) bool { return r == '|' })
		for _, title := range titles {
			if !newest[title] {
				t.Errorf("%s from the newest: no %q", q, title)
			}
		}
		if len(newest) != len(titles) {
			t.Errorf("%s from the newest: %v, want %q", q, newest, want)
		}
	}
	all, here, bugs := TaskFilter{}, TaskFilter{ProjectID: &p}, TaskFilter{Labels: []string{"bug"}}
	check(all, "zebra", "zebra|Login fails")
	check(all, "safari", "Another|Login fails")
	check(all, "cafe ", "Login fails")
	check(all, `"says cafe"`, "")
	check(all, "safari -firefox", "Another|Login fails")
	check(all, "safari firefox", "Another")
	check(all, "login or lion", "Login fails|Elsewhere")
	check(all, "login safari", "") // the title and a comment are two texts
	check(all, "login -safari", "Login fails")
	check(here, "lion or cafe ", "Login fails")
	check(bugs, "safari", "Login fails")
	check(bugs, "lion", "")
	check(TaskFilter{Labels: []string{"bug"}, ProjectID: &second}, "safari", "")
	edit := func(e any) {
		t.Helper()
		var err error
		switch e := e.(type) {
		case domain.EditComment:
			e.Task, e.Project = c.Tasks[login], c.Projects[p]
			err = c.ChangeComment(t, ann, first, e)
		case domain.DeleteComment:
			e.Task, e.Project = c.Tasks[login], c.Projects[p]
			err = c.ChangeComment(t, ann, first, e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	edit(domain.EditComment{Body: domain.To("Only in Opera")})
	check(all, "safari", "Another")
	check(all, "opera", "Login fails")
	edit(domain.DeleteComment{})
	check(all, "opera", "")
	check(all, "cafe", "Login fails")
	for _, err := range []error{
		c.ChangeTask(t, ann, login, domain.EditTask{Project: c.Projects[p], Title: domain.To("Sign in")}),
		c.ChangeTask(t, ann, zebra, domain.DeleteTask{Project: c.Projects[p]}),
		c.ChangeProject(t, ann, second, domain.DeleteProject{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(all, "cafe", "Sign in")
	check(all, "login or zebra or lion", "")
}
