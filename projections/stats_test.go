package projections

import (
	"fmt"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
)

func TestStats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other, _ := w.Company(t, 4)
	c, ann := w.Company(t, 3)
	first := c.ProjectIDs[0]
	for _, step := range []domain.Status{domain.Submitted, domain.Approved} {
		if err := c.ChangeProject(t, ann, first, domain.MoveProject{To: step}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.ChangeTask(t, ann, c.TaskIDs[0], domain.EditTask{Project: c.Projects[first], Status: domain.To(domain.Done)}); err != nil {
		t.Fatal(err)
	}
	gone := c.CreateTask(t, ann, first, domain.CreateTask{Title: "gone"})
	c.CreateComment(t, ann, gone, "with its task")
	c.CreateComment(t, ann, c.TaskIDs[1], "a second")
	withdrawn := c.CreateComment(t, ann, c.TaskIDs[1], "a third")
	if err := c.ChangeComment(t, ann, withdrawn, domain.DeleteComment{Task: c.Tasks[c.TaskIDs[1]], Project: c.Projects[c.ProjectIDs[1]]}); err != nil {
		t.Fatal(err)
	}
	if err := c.ChangeTask(t, ann, gone, domain.DeleteTask{Project: c.Projects[first]}); err != nil {
		t.Fatal(err)
	}
	if err := c.ChangeProject(t, ann, c.ProjectIDs[2], domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	leaver := tenanttest.NewID[domain.UserID](t)
	c.Join(t, leaver, "Leaver", domain.Viewer)
	if err := c.ChangeMember(t, ann, leaver, domain.RemoveMember{}); err != nil {
		t.Fatal(err)
	}

	want := Stats{
		Members:  0,
		Projects: map[domain.Status]int64{}, Tasks: map[domain.TaskStatus]int64{},
		Head: c.Head(),
	}
	lag := func(n int64, names ...string) (out []SubscriptionLag) {
		for _, name := range names {
			out = append(out, SubscriptionLag{Name: name, Lag: n})
		}
		return out
	}
	all := []string{"activity", "comments", "cycles", "members", "projects", "search", "summaries", "tasks", "tenants"}
	stats := func() Stats {
		t.Helper()
		got, err := w.queries.Stats(t.Context(), c.Scope(t, ann), Fresh{})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want.Subscriptions = lag(c.Head(), all...)
	same(t, stats(), want)

	stop := w.RunAll(t, 100)
	w.Caught(t, c)
	w.Caught(t, other)
	want = Stats{
		Members:  2,
		Projects: map[domain.Status]int64{domain.Approved: 1, domain.Draft: 1},
		Tasks:    map[domain.TaskStatus]int64{domain.Done: 1, domain.Todo: 1},
		Comments: 3, Head: c.Head(), Subscriptions: lag(0, all...),
	}
	same(t, stats(), want)

	// Neither another generation nor its checkpoint counts.
	w.switchAll(t, c)
	same(t, stats(), want)
	builds, err := feed.OpenBuilds(t.Context(), w.Engine, c.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	defer builds.Close()
	build, err := builds.Start(t.Context(), projects.Name, projects.FoldVersion)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Page(t.Context(), 3, projects.applyPage); err != nil {
		t.Fatal(err)
	}
	same(t, stats(), want)

	// What stands still is behind.
	stop()
	for i := range 3 {
		if err := c.ChangeProject(t, ann, first, domain.EditProject{Name: domain.To(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	want.Head, want.Subscriptions = c.Head(), lag(3, all...)
	same(t, stats(), want)
}
