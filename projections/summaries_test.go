package projections

import (
	"testing"
	"time"

	"docket/domain"
)

func TestProjectSummary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, 3, Subscriptions())
	c, ann := w.found(t, "acme")
	p, other := c.create(t, ann, "Site"), c.create(t, ann, "Other")
	day := func(days int) *domain.Date {
		d := domain.Date(time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly))
		return &d
	}
	late := c.add(t, ann, p, domain.CreateTask{Title: "late", DueDate: day(-2)})
	c.add(t, ann, p, domain.CreateTask{Title: "late too", DueDate: day(-2)})
	c.add(t, ann, p, domain.CreateTask{Title: "late again", DueDate: day(-3)})
	c.add(t, ann, p, domain.CreateTask{Title: "in time", DueDate: day(2)})
	c.add(t, ann, p, domain.CreateTask{Title: "some day"})
	c.add(t, ann, other, domain.CreateTask{Title: "elsewhere", DueDate: day(-2)})
	gone := c.add(t, ann, p, domain.CreateTask{Title: "gone", DueDate: day(-2)})
	if err := c.task(t, ann, gone, domain.DeleteTask{Project: c.projects[p]}); err != nil {
		t.Fatal(err)
	}
	if err := c.task(t, ann, late, domain.EditTask{Project: c.projects[p], Status: domain.To(domain.Done)}); err != nil {
		t.Fatal(err)
	}
	began, spent := c.projects[p].CreatedAt, map[domain.Status]time.Duration{}
	for _, to := range []domain.Status{domain.Submitted, domain.Draft, domain.Submitted, domain.Approved} {
		from := c.projects[p].Status
		if err := c.project(t, ann, p, domain.MoveProject{To: to}); err != nil {
			t.Fatal(err)
		}
		spent[from] += c.projects[p].UpdatedAt.Sub(began)
		began = c.projects[p].UpdatedAt
	}
	said := c.say(t, ann, late, "so")
	last := c.log[len(c.log)-1]
	c.create(t, ann, "Later")
	w.caught(t, c)

	got, err := w.queries.ProjectSummary(t.Context(), c.scope(t, ann), p, Fresh{})
	if err != nil {
		t.Fatal(err)
	}
	spent[domain.Approved] = got.Now.Sub(began)
	same(t, got, ProjectSummary{
		Summary: Summary{
			ProjectID: p, Status: domain.Approved, Since: began, Spent: spent,
			Last: LastActivity{
				Seq: last.Seq, At: last.At, ActorID: &ann, ActorName: "Ann", Action: "comment.created",
				EntityType: domain.CommentStream, EntityID: said.UUID(),
			},
		},
		Now: got.Now, Overdue: 2, Tasks: map[domain.TaskStatus]int64{domain.Todo: 4, domain.InProgress: 0, domain.Done: 1},
	})
	if now := time.Since(got.Now); now < -time.Minute || now > time.Minute {
		t.Errorf("now is %v ago", now)
	}

	if err := c.project(t, ann, other, domain.DeleteProject{}); err != nil {
		t.Fatal(err)
	}
	w.caught(t, c)
	_, err = w.queries.ProjectSummary(t.Context(), c.scope(t, ann), other, Fresh{})
	isNotFound(t, err)
}

// A read model that an old log doesn't have yet is waited for, not answered by half.
func TestReportsOfModelsBeingMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := fillCompany(t, w, 2)
	if err := c.project(t, ann, c.projectIDs[0], domain.MoveProject{To: domain.Submitted}); err != nil {
		t.Fatal(err)
	}
	handlers := Subscriptions()
	delete(handlers, summaries.Name)
	delete(handlers, cycles.Name)
	stop := w.run(t, 100, handlers)
	w.caught(t, c, projects.Name, tasks.Name)
	answers := func() (summary, report domain.Code) {
		t.Helper()
		_, err := w.queries.ProjectSummary(t.Context(), c.scope(t, ann), c.projectIDs[0], Fresh{})
		_, _, err2 := w.queries.CycleTimes(t.Context(), c.scope(t, ann), Weeks{First: Monday(time.Now()), Count: 1}, nil, Page{}, Fresh{})
		code := func(err error) domain.Code {
			if err == nil {
				return ""
			}
			return domain.CodeOf(err)
		}
		return code(err), code(err2)
	}
	// Just now there was nothing to have: no row is no summary, but an empty report.
	if summary, report := answers(); summary != domain.CodeReadModelLagging || report != "" {
		t.Errorf("of a young log: %q, %q", summary, report)
	}
	w.queries.recent = 0
	if summary, report := answers(); summary != domain.CodeReadModelLagging || report != domain.CodeReadModelLagging {
		t.Errorf("of an old log: %q, %q", summary, report)
	}
	stop()
	stop = w.run(t, 100, Subscriptions())
	w.caught(t, c)
	stop()
	if summary, report := answers(); summary != "" || report != "" {
		t.Errorf("afterwards: %q, %q", summary, report)
	}
	// Half of it, as in the midst of the making.
	if _, err := w.engine.Exec(t.Context(), `update checkpoints set seq = 4 where tenant_id = $1 and subscription = any ($2)`,
		c.id.UUID(), []string{summaries.Name, cycles.Name}); err != nil {
		t.Fatal(err)
	}
	if summary, report := answers(); summary != domain.CodeReadModelLagging || report != domain.CodeReadModelLagging {
		t.Errorf("in between: %q, %q", summary, report)
	}
}
