package projections

import (
	"fmt"
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"
)

func TestCommentList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Found(t, "acme")
	bob := tenanttest.NewID[domain.UserID](t)
	c.Join(t, bob, "Bob", domain.Member)
	p := c.CreateProject(t, ann, "Website")
	one, two, none := c.CreateTask(t, ann, p, domain.CreateTask{Title: "one"}), c.CreateTask(t, ann, p, domain.CreateTask{Title: "two"}), c.CreateTask(t, ann, p, domain.CreateTask{Title: "none"})
	for i := range 9 {
		c.CreateComment(t, []domain.UserID{ann, bob}[i%2], []domain.TaskID{one, two}[i%3/2], fmt.Sprint(i))
	}
	if err := c.ChangeComment(t, bob, c.CommentIDs[1], domain.EditComment{
		Task: c.Tasks[one], Project: c.Projects[p], Body: domain.To("1, edited"), Mentioned: []domain.Membership{c.Members[ann]},
	}); err != nil {
		t.Fatal(err)
	}
	if err := c.ChangeComment(t, ann, c.CommentIDs[3], domain.DeleteComment{Task: c.Tasks[one], Project: c.Projects[p]}); err != nil {
		t.Fatal(err)
	}
	w.Caught(t, c)
	s := c.Scope(t, bob)
	list := func(task domain.TaskID, limit int) []domain.Comment {
		t.Helper()
		return pages(t, limit, func(p Page) ([]domain.Comment, *Keyset, error) {
			return w.queries.Comments(t.Context(), s, task, p, Fresh{})
		})
	}
	want := map[domain.TaskID][]domain.Comment{one: {}, two: {}, none: {}}
	for _, id := range c.CommentIDs {
		if k := c.Comments[id]; !k.Deleted {
			want[k.TaskID] = append(want[k.TaskID], k)
		}
	}
	for task, comments := range want {
		for _, limit := range []int{1, 2, 5, 50} {
			same(t, list(task, limit), comments)
		}
	}
	if len(want[one]) != 5 || len(want[two]) != 3 || want[one][1].Body != "1, edited" || len(want[one][1].Mentions) != 1 {
		t.Fatalf("the test has the wrong comments: %+v", want)
	}
	got, err := w.queries.Comment(t.Context(), s, c.CommentIDs[1], Fresh{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, c.Comments[c.CommentIDs[1]])
	_, err = w.queries.Comment(t.Context(), s, c.CommentIDs[3], Fresh{})
	isNotFound(t, err)
	_, _, err = w.queries.Comments(t.Context(), s, tenanttest.NewID[domain.TaskID](t), Page{}, Fresh{})
	isNotFound(t, err)

	// What hangs on a deleted task, or project, isn't there.
	gone := func(task domain.TaskID, comment domain.CommentID) {
		t.Helper()
		w.Caught(t, c)
		_, err := w.queries.Comment(t.Context(), s, comment, Fresh{})
		isNotFound(t, err)
		_, _, err = w.queries.Comments(t.Context(), s, task, Page{}, Fresh{})
		isNotFound(t, err)
	}
	if err := c.ChangeTask(t, ann, two, domain.DeleteTask{Project: c.Projects[p]}); err != nil {
		t.Fatal(err)
	}
	gone(two, c.CommentIDs[2])
	if _, err := w.queries.Comment(t.Context(), s, c.CommentIDs[0], Fresh{}); err != nil {
		t.Errorf("a comment on another task: %v", err)
	}
	if err := c.ChangeProject(t, ann, p, domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	gone(one, c.CommentIDs[0])
}

// A comment is read back once the read models have come to it.
func TestCommentsAreFresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 100)
	c, ann := w.Company(t, 1)
	for i := range 20 {
		id := c.CreateComment(t, ann, c.TaskIDs[0], fmt.Sprint(i))
		w.Caught(t, c)
		if _, err := w.queries.Comment(t.Context(), c.Scope(t, ann), id, Fresh{Seq: c.Head()}); err != nil {
			t.Fatal(err)
		}
		list, _, err := w.queries.Comments(t.Context(), c.Scope(t, ann), c.TaskIDs[0], Page{}, Fresh{Seq: c.Head()})
		if err != nil || len(list) != i+2 {
			t.Fatalf("%d comments of %d, %v", len(list), i+2, err)
		}
	}
}
