package projections

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/tenanttest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// view is all that the queries answer, now or, with a seq, as of it. What is refused
// is in it too. Lists are read in pages of two.
func (w *world) view(t tenanttest.TB, c *tenanttest.Tenant, s domain.Scope, ask asked, seq *int64) map[string]any {
	t.Helper()
	ctx := context.Background()
	out := map[string]any{}
	note := func(what string, got any, err error) {
		if err == nil {
			out[what] = got
			return
		}
		code := domain.CodeOf(err)
		if code == "" || code == domain.CodeInternal {
			t.Fatal(err)
		}
		out[what] = err.Error()[strings.LastIndex(err.Error(), ":")+1:]
	}
	q := w.queries
	for _, id := range c.ProjectIDs {
		if seq == nil {
			got, err := q.Project(ctx, s, id, Fresh{})
			note("project "+id.String(), got, err)
		} else {
			got, err := q.ProjectAsOf(ctx, s, id, *seq)
			note("project "+id.String(), got, err)
		}
		wanted := TaskFilter{ProjectID: &id}
		note2(note, "tasks of "+id.String(), func(p Page) ([]domain.Task, *Keyset, error) {
			if seq == nil {
				return q.Tasks(ctx, s, wanted, Order{}, p, Fresh{})
			}
			return q.TasksAsOf(ctx, s, wanted, Order{}, p, *seq)
		})
	}
	for _, id := range c.TaskIDs {
		if seq == nil {
			got, err := q.Task(ctx, s, id, Fresh{})
			note("task "+id.String(), got, err)
		} else {
			got, err := q.TaskAsOf(ctx, s, id, *seq)
			note("task "+id.String(), got, err)
		}
		note2(note, "comments on "+id.String(), func(p Page) ([]domain.Comment, *Keyset, error) {
			if seq == nil {
				return q.Comments(ctx, s, id, p, Fresh{})
			}
			return q.CommentsAsOf(ctx, s, id, p, *seq)
		})
	}
	for _, id := range c.CommentIDs {
		if seq == nil {
			got, err := q.Comment(ctx, s, id, Fresh{})
			note("comment "+id.String(), got, err)
		} else {
			got, err := q.CommentAsOf(ctx, s, id, *seq)
			note("comment "+id.String(), got, err)
		}
	}
	for order := range projectListings {
		note2(note, "projects by "+string(order.By)+map[bool]string{true: " descending"}[order.Descending],
			func(p Page) ([]domain.Project, *Keyset, error) {
				if seq == nil {
					return q.Projects(ctx, s, ask.projects, order, p, Fresh{})
				}
				return q.ProjectsAsOf(ctx, s, ask.projects, order, p, *seq)
			})
	}
	for order := range taskOrders() {
		note2(note, "tasks by "+string(order.By)+map[bool]string{true: " descending"}[order.Descending], func(p Page) ([]domain.Task, *Keyset, error) {
			if seq == nil {
				return q.Tasks(ctx, s, ask.tasks, order, p, Fresh{})
			}
			return q.TasksAsOf(ctx, s, ask.tasks, order, p, *seq)
		})
	}
	note2(note, "members", func(p Page) ([]domain.Membership, *Keyset, error) {
		if seq == nil {
			return q.Members(ctx, s, ask.members, p, Fresh{})
		}
		return q.MembersAsOf(ctx, s, ask.members, p, *seq)
	})
	return out
}

// asked are the filters of a view.
type asked struct {
	projects ProjectFilter
	tasks    TaskFilter
	members  MemberFilter
}

// note2 reads a list to its end, in pages of two, and notes where each page ends.
func note2[R any](note func(string, any, error), what string, read func(Page) ([]R, *Keyset, error)) {
	var all []any
	for p := (Page{Limit: 2}); ; {
		items, next, err := read(p)
		if err != nil {
			note(what, nil, err)
			return
		}
		all = append(all, items, next)
		if next == nil {
			note(what, all, nil)
			return
		}
		p.After = next
	}
}

// What is read as of a seq is what was read live when that seq was the last: of
// random histories, one by one and in lists, with filters and in every order, by
// pages of the log of any length and any number of streams at once; and so is what is read as of a time.
func TestAsOfIsWhatWasReadThen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 50)
	rapid.Check(t, func(t *rapid.T) {
		c, ann := w.Found(t, "acme")
		w.queries.asOfPage = rapid.Int64Range(1, 20).Draw(t, "page of the log")
		w.queries.asOfStreams = rapid.IntRange(1, 20).Draw(t, "streams at once")
		type moment struct {
			seq  int64
			ask  asked
			view map[string]any
		}
		var then []moment
		look := func() {
			w.Caught(t, c)
			ask := asked{}
			if rapid.Bool().Draw(t, "filtered") {
				ask.projects.Visibilities = []domain.Visibility{rapid.SampledFrom([]domain.Visibility{domain.Public, domain.Private}).Draw(t, "visibility")}
				ask.tasks.Statuses = []domain.TaskStatus{rapid.SampledFrom([]domain.TaskStatus{domain.Todo, domain.Done}).Draw(t, "status")}
				ask.members.Roles = []domain.Role{rapid.SampledFrom(domain.Roles()).Draw(t, "role"), domain.Owner}
			}
			if rapid.Bool().Draw(t, "owned") {
				u := rapid.SampledFrom(c.UserIDs).Draw(t, "owner")
				ask.projects.OwnerIDs, ask.tasks.AssigneeIDs = []domain.UserID{u}, []domain.UserID{u}
				ask.members.Prefix = new(strings.ToUpper(c.Members[u].Name[:1]))
			}
			if k := anyLabel(c); k != nil && rapid.Bool().Draw(t, "labelled") {
				ask.tasks.Labels = []string{*k}
			}
			then = append(then, moment{c.Head(), ask, w.view(t, c, c.Scope(t, ann), ask, nil)})
		}
		for range rapid.IntRange(1, 4).Draw(t, "moments") {
			for range rapid.IntRange(0, 10).Draw(t, "steps") {
				c.ChangeAnything(t)
			}
			if !c.Members[ann].Active {
				c.Join(t, ann, "Ann", domain.Owner)
			}
			look()
		}
		s := c.Scope(t, ann)
		for _, m := range then {
			got := w.view(t, c, s, m.ask, &m.seq)
			for what, want := range m.view {
				if d := cmp.Diff(want, got[what]); d != "" {
					t.Fatalf("%s as of %d of %d: -then +now:\n%s", what, m.seq, c.Head(), d)
				}
			}
			at := c.Log[m.seq-1].At
			if seq, err := w.queries.SeqOf(context.Background(), s, Moment{Time: at}); err != nil || seq != m.seq {
				t.Fatalf("%s is seq %d, got %d, %v", at, m.seq, seq, err)
			}
		}
		// Before the first event there was nothing.
		var zero int64
		for what, got := range w.view(t, c, s, asked{}, &zero) {
			switch got := got.(type) {
			case string: // refused
			case []any:
				if len(got) != 2 || cmp.Diff(got[1], (*Keyset)(nil)) != "" {
					t.Fatalf("%s before everything: %v", what, got)
				}
			default:
				t.Fatalf("%s before everything: %v", what, got)
			}
		}
	})
}

// anyLabel is one that a task has, if any has one.
func anyLabel(c *tenanttest.Tenant) *string {
	for _, id := range c.TaskIDs {
		if labels := c.Tasks[id].Labels; len(labels) > 0 {
			return &labels[0]
		}
	}
	return nil
}

// A read of the past waits for its turn, and is refused when it takes too long.
func TestAsOfIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Found(t, "acme")
	p := c.CreateProject(t, ann, "Website")
	s := c.Scope(t, ann)
	w.queries.pastSingles, w.queries.pastLists = newFairSemaphore(1, 1), newFairSemaphore(1, 1)
	if err := w.queries.pastSingles.acquire(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	w.queries.AsOfTime = 1
	if _, err := w.queries.ProjectAsOf(t.Context(), s, p, c.Head()); domain.CodeOf(err) != domain.CodeOverloaded {
		t.Errorf("with no turn to be had: %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.queries.ProjectAsOf(cancelled, s, p, c.Head()); err == nil || domain.CodeOf(err) == domain.CodeOverloaded {
		t.Errorf("cancelled by the caller: %v", err)
	}
	w.queries.pastSingles.release(c.ID)
	if _, _, err := w.queries.ProjectsAsOf(t.Context(), s, ProjectFilter{}, Order{}, Page{}, c.Head()); domain.CodeOf(err) != domain.CodeOverloaded {
		t.Errorf("with no time: %v", err)
	}
	w.queries.AsOfTime = time.Minute
	if got, err := w.queries.ProjectAsOf(t.Context(), s, p, c.Head()); err != nil || got.Name != "Website" {
		t.Errorf("%+v, %v", got, err)
	}
	if w.queries.pastSingles.free != 1 || w.queries.pastLists.free != 1 {
		t.Error("a turn wasn't given back")
	}
}

// A tenant that asks for many lists of the past keeps no other waiting, nor its own reads
// of single things.
func TestAsOfOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Found(t, "acme")
	p := c.CreateProject(t, ann, "Website")
	other, bob := w.Found(t, "globex")
	other.CreateProject(t, bob, "Mill")
	w.queries.AsOfTime = time.Minute
	for range asOfTenant {
		if err := w.queries.pastLists.acquire(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	held, scope, head := make(chan error, 1), c.Scope(t, ann), c.Head()
	go func() {
		_, _, err := w.queries.ProjectsAsOf(ctx, scope, ProjectFilter{}, Order{}, Page{Limit: 10}, head)
		held <- err
	}()
	tenanttest.Eventually(t, "the list beyond the tenant's share doesn't wait", func() (bool, any) {
		if len(held) > 0 {
			t.Fatal("a list beyond the tenant's share doesn't wait")
		}
		w.queries.pastLists.mu.Lock()
		defer w.queries.pastLists.mu.Unlock()
		return len(w.queries.pastLists.waiting) > 0, len(w.queries.pastLists.waiting)
	})
	if _, err := w.queries.ProjectAsOf(t.Context(), scope, p, head); err != nil {
		t.Error(err)
	}
	got, _, err := w.queries.ProjectsAsOf(t.Context(), other.Scope(t, bob), ProjectFilter{}, Order{}, Page{Limit: 10}, other.Head())
	if err != nil || len(got) != 1 {
		t.Errorf("%d of another's projects, %v", len(got), err)
	}
	cancel()
	if err := <-held; !errors.Is(err, context.Canceled) {
		t.Errorf("a list beyond the tenant's share: %v", err)
	}
}

// A list of one project's tasks keeps no others while it folds: however many there are, it
// reads the log once.
func TestAsOfKeepsOnlyOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Found(t, "acme")
	others, p := c.CreateProject(t, ann, "Others"), c.CreateProject(t, ann, "Website")
	for _, in := range []domain.ProjectID{others, others, others, p, others} {
		c.CreateTask(t, ann, in, domain.CreateTask{Title: "Page"})
	}
	w.queries.asOfStreams = 1
	rows, full, err := pastTasks.begunAfter(t.Context(), w.queries, c.Scope(t, ann), 0, c.Head(), func(t *domain.Task) bool { return t.ProjectID == p })
	if err != nil || len(rows) != 1 || full != 0 {
		t.Errorf("%d tasks are kept, others begin after %d: %v", len(rows), full, err)
	}
	if _, full, err := pastTasks.begunAfter(t.Context(), w.queries, c.Scope(t, ann), 0, c.Head(), nil); err != nil || full == 0 {
		t.Errorf("all of them fit where one may: %v", err)
	}
}
