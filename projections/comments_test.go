package projections

import (
	"fmt"
	"testing"

	"docket/domain"
)

func TestCommentList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, 100, Subscriptions())
	c, ann := w.found(t, "acme")
	bob := newID[domain.UserID](t)
	c.join(t, bob, "Bob", domain.Member)
	p := c.create(t, ann, "Website")
	one, two, none := c.add(t, ann, p, domain.CreateTask{Title: "one"}), c.add(t, ann, p, domain.CreateTask{Title: "two"}), c.add(t, ann, p, domain.CreateTask{Title: "none"})
	for i := range 9 {
		c.say(t, []domain.UserID{ann, bob}[i%2], []domain.TaskID{one, two}[i%3/2], fmt.Sprint(i))
	}
	if err := c.comment(t, bob, c.commentIDs[1], domain.EditComment{
		Task: c.tasks[one], Project: c.projects[p], Body: domain.To("1, edited"), Mentioned: []domain.Membership{c.members[ann]},
	}); err != nil {
		t.Fatal(err)
	}
	if err := c.comment(t, ann, c.commentIDs[3], domain.DeleteComment{Task: c.tasks[one], Project: c.projects[p]}); err != nil {
		t.Fatal(err)
	}
	w.caught(t, c)
	s := c.scope(t, bob)
	list := func(task domain.TaskID, limit int) []domain.Comment {
		t.Helper()
		return pages(t, limit, func(p Page) ([]domain.Comment, *Keyset, error) {
			return w.queries.Comments(t.Context(), s, task, p, Fresh{})
		})
	}
	want := map[domain.TaskID][]domain.Comment{one: {}, two: {}, none: {}}
	for _, id := range c.commentIDs {
		if k := c.comments[id]; !k.Deleted {
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
	got, err := w.queries.Comment(t.Context(), s, c.commentIDs[1], Fresh{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, c.comments[c.commentIDs[1]])
	_, err = w.queries.Comment(t.Context(), s, c.commentIDs[3], Fresh{})
	isNotFound(t, err)
	_, _, err = w.queries.Comments(t.Context(), s, newID[domain.TaskID](t), Page{}, Fresh{})
	isNotFound(t, err)

	// What hangs on a deleted task, or project, isn't there.
	gone := func(task domain.TaskID, comment domain.CommentID) {
		t.Helper()
		w.caught(t, c)
		_, err := w.queries.Comment(t.Context(), s, comment, Fresh{})
		isNotFound(t, err)
		_, _, err = w.queries.Comments(t.Context(), s, task, Page{}, Fresh{})
		isNotFound(t, err)
	}
	if err := c.task(t, ann, two, domain.DeleteTask{Project: c.projects[p]}); err != nil {
		t.Fatal(err)
	}
	gone(two, c.commentIDs[2])
	if _, err := w.queries.Comment(t.Context(), s, c.commentIDs[0], Fresh{}); err != nil {
		t.Errorf("a comment on another task: %v", err)
	}
	if err := c.project(t, ann, p, domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	gone(one, c.commentIDs[0])
}

// A comment is read back once the read models have come to it.
func TestCommentsAreFresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, 100, Subscriptions())
	c, ann := fillCompany(t, w, 1)
	for i := range 20 {
		id := c.say(t, ann, c.taskIDs[0], fmt.Sprint(i))
		w.caught(t, c)
		if _, err := w.queries.Comment(t.Context(), c.scope(t, ann), id, Fresh{Seq: c.head()}); err != nil {
			t.Fatal(err)
		}
		list, _, err := w.queries.Comments(t.Context(), c.scope(t, ann), c.taskIDs[0], Page{}, Fresh{Seq: c.head()})
		if err != nil || len(list) != i+2 {
			t.Fatalf("%d comments of %d, %v", len(list), i+2, err)
		}
	}
}
