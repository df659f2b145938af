package projections

import (
	"testing"
	"time"

	"docket/domain"
)

func TestProjectSummary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.RunAll(t, 3)
	c, ann := w.Found(t, "acme")
	p, other := c.CreateProject(t, ann, "Site"), c.CreateProject(t, ann, "Other")
	day := func(days int) *domain.Date {
		d := domain.Date(time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly))
		return &d
	}
	late := c.CreateTask(t, ann, p, domain.CreateTask{Title: "late", DueDate: day(-2)})
	c.CreateTask(t, ann, p, domain.CreateTask{Title: "late too", DueDate: day(-2)})
	c.CreateTask(t, ann, p, domain.CreateTask{Title: "late again", DueDate: day(-3)})
	c.CreateTask(t, ann, p, domain.CreateTask{Title: "in time", DueDate: day(2)})
	c.CreateTask(t, ann, p, domain.CreateTask{Title: "some day"})
	c.CreateTask(t, ann, other, domain.CreateTask{Title: "elsewhere", DueDate: day(-2)})
	gone := c.CreateTask(t, ann, p, domain.CreateTask{Title: "gone", DueDate: day(-2)})
	if err := c.ChangeTask(t, ann, gone, domain.DeleteTask{Project: c.Projects[p]}); err != nil {
		t.Fatal(err)
	}
	if err := c.ChangeTask(t, ann, late, domain.EditTask{Project: c.Projects[p], Status: domain.To(domain.Done)}); err != nil {
		t.Fatal(err)
	}
	began, spent := c.Projects[p].CreatedAt, map[domain.Status]time.Duration{}
	for _, to := range []domain.Status{domain.Submitted, domain.Draft, domain.Submitted, domain.Approved} {
		from := c.Projects[p].Status
		if err := c.ChangeProject(t, ann, p, domain.MoveProject{To: to}); err != nil {
			t.Fatal(err)
		}
		spent[from] += c.Projects[p].UpdatedAt.Sub(began)
		began = c.Projects[p].UpdatedAt
	}
	said := c.CreateComment(t, ann, late, "so")
	last := c.Log[len(c.Log)-1]
	c.CreateProject(t, ann, "Later")
	w.Caught(t, c)

	asked := time.Now()
	got, err := w.queries.ProjectSummary(t.Context(), c.Scope(t, ann), p, Fresh{})
	if err != nil {
		t.Fatal(err)
	}
	spent[domain.Approved] = got.Now.Sub(began)
	same(t, got, ProjectSummary{
		Summary: Summary{ProjectID: p, Status: domain.Approved, Since: began, Spent: spent},
		Last: LastActivity{
			Seq: last.Seq, At: last.At, ActorID: &ann, ActorName: "Ann", Action: "comment.created",
			EntityType: domain.CommentStream, EntityID: said.UUID(),
		},
		Now: got.Now, Overdue: 2, Tasks: map[domain.TaskStatus]int64{domain.Todo: 4, domain.InProgress: 0, domain.Done: 1},
	})
	if got.Now.Before(asked.Add(-time.Minute)) || got.Now.After(time.Now().Add(time.Minute)) {
		t.Errorf("asked at %s, now is %s", asked, got.Now)
	}

	if err := c.ChangeProject(t, ann, other, domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	w.Caught(t, c)
	_, err = w.queries.ProjectSummary(t.Context(), c.Scope(t, ann), other, Fresh{})
	isNotFound(t, err)
}

// A project that the summaries haven't come to isn't one that isn't there.
func TestSummaryOfAProjectThatIsTooNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Company(t, 2)
	handlers := Subscriptions()
	delete(handlers, summaries.Name)
	stop := w.Run(t, 100, handlers)
	w.Caught(t, c, projects.Name, tasks.Name)
	summary := func() error {
		_, err := w.queries.ProjectSummary(t.Context(), c.Scope(t, ann), c.ProjectIDs[0], Fresh{})
		return err
	}
	if err := summary(); domain.CodeOf(err) != domain.CodeReadModelLagging {
		t.Errorf("before: %v", err)
	}
	stop()
	w.RunAll(t, 100)
	w.Caught(t, c)
	if err := summary(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
