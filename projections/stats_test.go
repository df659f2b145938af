package projections

import (
	"fmt"
	"testing"

	"docket/domain"
)

func TestStats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other, _ := fillCompany(t, w, 4)
	c, ann := fillCompany(t, w, 3)
	first := c.projectIDs[0]
	for _, step := range []domain.Status{domain.Submitted, domain.Approved} {
		if err := c.project(t, ann, first, domain.MoveProject{To: step}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.task(t, ann, c.taskIDs[0], domain.EditTask{Project: c.projects[first], Status: domain.To(domain.Done)}); err != nil {
		t.Fatal(err)
	}
	gone := c.add(t, ann, first, domain.CreateTask{Title: "gone"})
	c.say(t, ann, gone, "with its task")
	c.say(t, ann, c.taskIDs[1], "a second")
	withdrawn := c.say(t, ann, c.taskIDs[1], "a third")
	if err := c.comment(t, ann, withdrawn, domain.DeleteComment{Task: c.tasks[c.taskIDs[1]], Project: c.projects[c.projectIDs[1]]}); err != nil {
		t.Fatal(err)
	}
	if err := c.task(t, ann, gone, domain.DeleteTask{Project: c.projects[first]}); err != nil {
		t.Fatal(err)
	}
	if err := c.project(t, ann, c.projectIDs[2], domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	leaver := newID[domain.UserID](t)
	c.join(t, leaver, "Leaver", domain.Viewer)
	if err := c.member(t, ann, leaver, domain.RemoveMember{}); err != nil {
		t.Fatal(err)
	}

	want := Stats{
		Members:  0,
		Projects: map[domain.Status]int64{}, Tasks: map[domain.TaskStatus]int64{},
		Head: c.head(),
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
		got, err := w.queries.Stats(t.Context(), c.scope(t, ann), Fresh{})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want.Subscriptions = lag(c.head(), all...)
	same(t, stats(), want)

	stop := w.run(t, 100, Subscriptions())
	w.caught(t, c)
	w.caught(t, other)
	want = Stats{
		Members:  2,
		Projects: map[domain.Status]int64{domain.Approved: 1, domain.Draft: 1},
		Tasks:    map[domain.TaskStatus]int64{domain.Done: 1, domain.Todo: 1},
		Comments: 3, Head: c.head(), Subscriptions: lag(0, all...),
	}
	same(t, stats(), want)

	// Neither another generation nor its checkpoint counts.
	if err := w.rebuild.Rebuild(t.Context(), []domain.TenantID{c.id}, nil, nil); err != nil {
		t.Fatal(err)
	}
	same(t, stats(), want)
	build, err := startBuild(t.Context(), w.engine, c.id, "projects", projects.FoldVersion)
	if err != nil {
		t.Fatal(err)
	}
	defer build.Close()
	if _, err := build.Page(t.Context(), 3, projects.erase().fill); err != nil {
		t.Fatal(err)
	}
	same(t, stats(), want)

	// What stands still is behind.
	stop()
	for i := range 3 {
		if err := c.project(t, ann, first, domain.EditProject{Name: domain.To(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
	}
	want.Head, want.Subscriptions = c.head(), lag(3, all...)
	same(t, stats(), want)
}
