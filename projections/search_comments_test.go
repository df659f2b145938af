package projections

import (
	"slices"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"
	"docket/projections/fulltext"
)

// A task is found by its comments, after those with the words in their titles; by words
// of the title and of a comment together; not by what a comment said before it was
// edited or deleted, and in no other scope.
func TestSearchComments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	other, bea := w.Found(t, "other")
	p := c.CreateProject(t, ann, "Website")
	add := func(title string) domain.TaskID {
		return c.CreateTask(t, ann, p, domain.CreateTask{Title: title, Priority: domain.Normal})
	}
	say := func(k domain.TaskID, body string) domain.CommentID {
		return c.CreateComment(t, ann, k, body)
	}
	login, zebra, both := add("Login fails"), add("zebra"), add("Another")
	first := say(login, "Only in Safari, a zebra says")
	say(login, "Café closed")
	say(both, "Safari here, Firefox there")
	s := c.Scope(t, ann)
	found := func(q string) string {
		t.Helper()
		w.Caught(t, c)
		return strings.Join(w.searchTasks(t, s, TaskFilter{Query: &q}, 50), "|")
	}
	for _, x := range []struct{ q, want string }{
		{"zebra", "zebra|Login fails"}, {"safari", "Another|Login fails"}, {"login safari", "Login fails"}, {"cafe ", "Login fails"},
		{"\"says cafe\"", ""}, {"safari -firefox", "Login fails"}, {"login -safari", ""},
	} {
		if got := found(x.q); got != x.want {
			t.Errorf("%s: got %q, want %q", x.q, got, x.want)
		}
	}
	if err := c.ChangeComment(t, ann, first, domain.EditComment{Task: c.Tasks[login], Project: c.Projects[p], Body: domain.To("Only in Opera")}); err != nil {
		t.Fatal(err)
	}
	if got := found("safari") + "," + found("opera") + "," + found("cafe"); got != "Another,Login fails,Login fails" {
		t.Errorf("after an edit: %s", got)
	}
	if err := c.ChangeComment(t, ann, first, domain.DeleteComment{Task: c.Tasks[login], Project: c.Projects[p]}); err != nil {
		t.Fatal(err)
	}
	if got := found("opera") + "," + found("cafe"); got != ",Login fails" {
		t.Errorf("after a deletion: %s", got)
	}
	for _, err := range []error{
		c.ChangeTask(t, ann, login, domain.EditTask{Project: c.Projects[p], Title: domain.To("Sign in")}),
		c.ChangeTask(t, ann, zebra, domain.DeleteTask{Project: c.Projects[p]}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := found("sign cafe") + "," + found("login") + "," + found("zebra"); got != "Sign in,," {
		t.Errorf("after changes of tasks: %s", got)
	}
	if got := w.searchTasks(t, other.Scope(t, bea), TaskFilter{Query: new("cafe")}, 50); len(got) != 0 {
		t.Errorf("another tenant finds %v", got)
	}
}

// The newest comments are searched, of MaxComments characters together; an edit makes a
// comment the newest, and a deletion brings none back.
func TestSearchedCommentsAreBounded(t *testing.T) {
	t.Parallel()
	tenant, task := tenanttest.NewID[domain.TenantID](t), tenanttest.NewID[domain.TaskID](t)
	in := fulltext.ScopeOf(tenant, fulltext.Tasks)
	row := &searched{ID: task.UUID(), Document: fulltext.NewDocument(in).TSVector()}
	ids := map[string]domain.CommentID{}
	set := func(name string, body string) {
		if _, ok := ids[name]; !ok {
			ids[name] = tenanttest.NewID[domain.CommentID](t)
		}
		row = changeComment(row, ids[name], body)
	}
	check := func(want ...string) {
		t.Helper()
		finished := finishSearch(*row, tenant)
		var got []string
		for _, c := range finished.Comments {
			for name, id := range ids {
				if id == c.ID {
					got = append(got, name)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		words := map[string]bool{}
		for _, x := range finished.Document.Lexemes {
			words[strings.TrimPrefix(x.Word, string(in))] = true
		}
		for name := range ids {
			if words[name] != slices.Contains(want, name) {
				t.Errorf("of %s the word: %v", name, words[name])
			}
		}
	}
	long := func(name string, n int) string { return name + strings.Repeat(" 東", (n-len(name))/2) }
	set("one", long("one", 1_500))
	set("two", long("two", 1_500))
	check("one", "two")
	set("three", long("three", 1_500))
	check("two", "three")
	set("two", "two is short now")
	check("three", "two")
	set("four", long("four", 2_000))
	check("three", "two", "four")
	set("one", "one again")
	check("three", "two", "four", "one")
	set("four", "")
	check("three", "two", "one")
	set("five", strings.Repeat("ﷺ", domain.MaxDescription))
	set("six", strings.Repeat("ﷺ", domain.MaxDescription-4)+" six")
	if d := finishSearch(*row, tenant).Document; len(d.Lexemes) < 4 {
		t.Errorf("%d lexemes", len(d.Lexemes))
	}
	if changeComment(nil, ids["one"], "of a deleted task") != nil {
		t.Error("a comment makes a row of a deleted task")
	}
}
