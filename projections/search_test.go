package projections

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"
	"docket/projections/fulltext"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"
)

// Postgres takes the document of any text and the query of any search; a text is found
// by each of its words and by their beginnings.
func TestAnyTextIsSearched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tenant := tenanttest.NewID[domain.TenantID](t)
	some := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom(append([]rune(`abiİı "'\-!&|():*<>#@é東ｆ 	ﷺAB12.+_’🎄`), '\u0307'))), rapid.StringMatching(`(a|or|-|"| |b'){0,60}`))
	rapid.Check(t, func(t *rapid.T) {
		title, description := some.Draw(t, "title"), some.Draw(t, "description")
		labels := rapid.SliceOfN(some, 0, 4).Draw(t, "labels")
		clean := func(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "") }
		for i := range labels {
			labels[i] = clean(labels[i])
		}
		in := fulltext.ScopeOf(tenant, fulltext.Tasks)
		d := fulltext.NewDocument(in)
		// The document doesn't depend on the order in which its sections are set.
		d.SetLabels(labels)
		d.SetDescription(clean(description))
		d.SetTitle("before")
		d.SetTitle(clean(title))
		comment := fulltext.NewComment(in, tenanttest.NewID[domain.ProjectID](t), clean(title))
		findIn := func(d *fulltext.Document, q string) (found bool) {
			t.Helper()
			if err := w.Engine.QueryRow(context.Background(), `select coalesce($1::tsvector @@ nullif($2, '')::tsquery, false)`, d.TSVector(), q).Scan(&found); err != nil {
				t.Fatalf("%q: %v", q, err)
			}
			return found
		}
		find := func(q string) bool { return findIn(d, q) }
		find(fulltext.Within(fulltext.Parse(some.Draw(t, "query")).TSQuery(in), []string{in.Labels([]string{clean(some.Draw(t, "label"))})}))
		titled := fulltext.NewDocument(in)
		titled.SetTitle(clean(title))
		for _, lexeme := range titled.TSVector().Lexemes {
			word := strings.TrimPrefix(lexeme.Word, string(in))
			if word == "" {
				continue
			}
			if strings.HasPrefix(word, "+") { // C++, which no C begins
				word = word[1:]
			} else if runes := []rune(word); !find(fulltext.Parse(string(runes[:1])).TSQuery(in)) {
				t.Fatalf("%q isn't found by the beginning of %q", title, word)
			}
			if !findIn(comment, fulltext.Parse(word).TSQuery(in)) {
				t.Fatalf("the comment %q isn't found by %q", title, word)
			}
			if !find(fulltext.Parse(word).TSQuery(in)) || !find(fulltext.Parse(word+" ").TSQuery(in)) {
				t.Fatalf("%q isn't found by %q", title, word)
			}
			if find(fulltext.Parse(word + " -" + word).TSQuery(in)) {
				t.Fatalf("%q is found by what -%q excludes", title, word)
			}
		}
		for _, label := range labels {
			if !find(fulltext.Within("", []string{in.Labels([]string{label})})) {
				t.Fatalf("not found by the label %q", label)
			}
		}
		if find(fulltext.ScopeOf(tenanttest.NewID[domain.TenantID](t), fulltext.Tasks).All()) || find(fulltext.ScopeOf(tenant, fulltext.Projects).All()) {
			t.Fatal("found in another scope")
		}
	})
}

// searchTasks is what a search for tasks finds, as titles.
func (w *world) searchTasks(t *testing.T, s domain.Scope, f TaskFilter, limit int) []string {
	t.Helper()
	found := []string{}
	for _, k := range pages(t, limit, func(p Page) ([]domain.Task, *Keyset, error) {
		return w.queries.Tasks(t.Context(), s, f, Order{}, p, Fresh{})
	}) {
		found = append(found, k.Title)
	}
	return found
}

func TestSearchTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	other, bea := w.Found(t, "other")
	p, second, gone := c.CreateProject(t, ann, "Red project"), c.CreateProject(t, ann, "Blue"), c.CreateProject(t, ann, "Gone")
	add := func(p domain.ProjectID, title, description string, labels ...string) domain.TaskID {
		return c.CreateTask(t, ann, p, domain.CreateTask{Title: title, Description: &description, Labels: labels, Priority: domain.Normal})
	}
	add(p, "old", "a red thing")
	add(p, "Red one", "")
	add(second, "Red two", "", "Red", "big deal")
	add(second, "blue", "redo it", "red")
	add(gone, "Red, of a deleted project", "")
	deleted := add(p, "Red, deleted", "")
	renamed := add(p, "Red, renamed", "kept words")
	other.CreateTask(t, bea, other.CreateProject(t, bea, "Red"), domain.CreateTask{Title: "Red, another's", Labels: []string{"Red"}, Priority: domain.Normal})
	for _, err := range []error{
		c.ChangeProject(t, ann, gone, domain.DeleteProject{}),
		c.ChangeTask(t, ann, deleted, domain.DeleteTask{Project: c.Projects[p]}),
		c.ChangeTask(t, ann, renamed, domain.EditTask{Project: c.Projects[p], Title: domain.To("Green"), Status: domain.To(domain.Done)}),
		c.ChangeTask(t, ann, renamed, domain.EditTask{Project: c.Projects[p], Status: domain.To(domain.Todo)}),
		c.ChangeTask(t, ann, renamed, domain.EditTask{Project: c.Projects[p], Labels: domain.To([]string{"late"})}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Caught(t, c)
	w.Caught(t, other)
	s := c.Scope(t, ann)
	q := func(text string) TaskFilter { return TaskFilter{Query: &text} }
	done := domain.Done
	for _, x := range []struct {
		filter TaskFilter
		want   string
	}{
		{q("red "), "Red two|Red one|old|blue"}, // in title and label, title, description, label
		{q("red"), "Red two|Red one|blue|old"},  // redo too
		{q("RE"), "Red two|Red one|blue|old"},
		{q("red -one"), "Red two|old|blue"},
		{q(`"red one"`), "Red one"},
		{q("one or two "), "Red two|Red one"},
		{q("deal"), "Red two"},
		{q("green"), "Green"},
		{q("kept wo"), "Green"},
		{q("late"), "Green"},
		{q("renamed"), ""},
		{q("another"), ""},
		{q("-"), ""},
		{TaskFilter{Query: new("red"), ProjectID: &second}, "Red two|blue"},
		{TaskFilter{Query: new("red"), Labels: []string{"Red"}}, "Red two"},
		{TaskFilter{Query: new("red"), Labels: []string{"big deal"}, ProjectID: &second}, "Red two"},
		{TaskFilter{Query: new("red"), Statuses: []domain.TaskStatus{done}}, ""},
		{TaskFilter{Labels: []string{"red"}}, "blue"},
		{TaskFilter{Labels: []string{"re"}}, ""},
	} {
		for _, limit := range []int{1, 2, 50} {
			if got := strings.Join(w.searchTasks(t, s, x.filter, limit), "|"); got != x.want {
				t.Errorf("%+v in pages of %d: got %s, want %s", x.filter, limit, got, x.want)
			}
		}
	}
	red, _, err := w.queries.Projects(t.Context(), s, ProjectFilter{Query: new("red")}, Order{}, Page{}, Fresh{})
	if err != nil || !slices.Equal(names(red), []string{"Red project"}) {
		t.Errorf("projects: got %v, %v", names(red), err)
	}
	for _, id := range []domain.ProjectID{gone, tenanttest.NewID[domain.ProjectID](t), other.ProjectIDs[0]} {
		for _, text := range []string{"red", "!"} {
			_, _, err := w.queries.Tasks(t.Context(), s, TaskFilter{Query: &text, ProjectID: &id}, Order{}, Page{}, Fresh{})
			isNotFound(t, err)
		}
	}
}

// Too many to be ranked come newest first, as do those of a first page of them.
func TestCommonSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	p := c.CreateProject(t, ann, "Website")
	for i := range 7 {
		c.CreateTask(t, ann, p, domain.CreateTask{Title: fmt.Sprint("red ", i), Priority: domain.Normal})
	}
	c.CreateTask(t, ann, p, domain.CreateTask{Title: "blue", Description: new("red"), Priority: domain.Normal})
	w.Caught(t, c)
	s, web := c.Scope(t, ann), fulltext.Parse("red")
	look := searching[domain.Task]{
		what: "tasks", kind: fulltext.Tasks, model: tasks, sample: sampleTasksSQL, ranked: rankedTasksSQL, newest: newestTasks(TaskFilter{}).sql(), key: taskSortings[ByCreated].key,
		args: TaskFilter{}.args(c.ID),
	}
	how, err := look.weigh(t.Context(), w.queries, s, web)
	if err != nil || how.common {
		t.Fatalf("%+v, %v", how, err)
	}
	_, n, err := look.find(t.Context(), w.queries, s, rankedTasksSQL, how, how.look, 3, Page{Limit: 2}, Keyset{Value: "infinity", ID: [16]byte{255}})
	if err != nil || n != 4 {
		t.Fatalf("looked at %d, may look at 3 and one more: %v", n, err)
	}
	for _, limit := range []int{1, 3, 8} {
		got := pages(t, limit, func(p Page) ([]domain.Task, *Keyset, error) {
			if p.After == nil {
				return look.fromNewest(t.Context(), w.queries, s, web, p, lastTime)
			}
			return look.answer(t.Context(), w.queries, s, web, p)
		})
		if len(got) != 8 || got[0].Title != "blue" || got[1].Title != "red 6" || got[7].Title != "red 0" {
			t.Errorf("in pages of %d: %v", limit, got)
		}
	}
}

// The policy of search shows the rows of the tenant that is set which match what is
// set, whatever else the statement says; without either it shows nothing.
func TestSearchIsWalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 50)
	one, _ := w.Company(t, 2)
	two, _ := w.Company(t, 3)
	w.Caught(t, one)
	w.Caught(t, two)
	all := func(c *tenanttest.Tenant) string { return fulltext.ScopeOf(c.ID, fulltext.Tasks).All() }
	count := func(tenant, look, condition string) (rows, foreign int) {
		t.Helper()
		b := &pgx.Batch{}
		b.Queue(`select set_config('docket.tenant', $1, true)`, tenant)
		b.Queue(searchScopeSQL, look, byIndex)
		b.Queue(`select count(*), count(*) filter (where tenant_id <> $1) from search where `+condition, one.ID.UUID()).QueryRow(func(row pgx.Row) error {
			return row.Scan(&rows, &foreign)
		})
		if err := w.API.SendBatch(t.Context(), b).Close(); err != nil {
			t.Fatal(err)
		}
		return rows, foreign
	}
	for _, x := range []struct {
		name, tenant, look string
		some               bool
	}{
		{"the own words", one.ID.String(), all(one), true},
		{"another's words", one.ID.String(), all(two), false},
		{"both's", one.ID.String(), all(one) + " | " + all(two), true},
		{"everything but a word", one.ID.String(), "!'nothing'", true},
		{"no tenant", "", all(one) + " | " + all(two), false},
		{"no search", one.ID.String(), "", false},
		{"nothing", "", "", false},
	} {
		for _, condition := range []string{"true", "tenant_id is not null", "tenant_id = '" + two.ID.String() + "' or true"} {
			if rows, foreign := count(x.tenant, x.look, condition); foreign != 0 || (rows > 0) != x.some {
				t.Errorf("%s, where %s: %d rows, %d of them another tenant's", x.name, condition, rows, foreign)
			}
		}
	}
}
