package projections

import (
	"fmt"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"
)

// grow appends changes to a project until its stream has n events, 1,000 a Commit.
func grow(b *testing.B, c *tenanttest.Tenant, by domain.UserID, id domain.ProjectID, n int) {
	b.Helper()
	for c.Projects[id].Version < n {
		state := c.Projects[id]
		var events []domain.Event
		for i := range min(1_000, n-state.Version) {
			more, err := domain.DecideProject(state, c.Actor(by), domain.EditProject{Name: domain.To(fmt.Sprint("Name ", state.Version, i))})
			if err != nil {
				b.Fatal(err)
			}
			events = append(events, more...)
		}
		c.Append(b, c.Actor(by), eventstore.Commit{}, domain.Stream(domain.ProjectStream, id), events)
	}
}

// Of one project with 1,000 events, in a tenant with others.
func BenchmarkAsOfProject(b *testing.B) {
	w := newWorld(b)
	c, ann := w.Found(b, "acme")
	id := c.CreateProject(b, ann, "Website")
	grow(b, c, ann, id, 1_000)
	s := c.Scope(b, ann)
	defer inMilliseconds(b)
	for b.Loop() {
		if p, err := w.queries.ProjectAsOf(b.Context(), s, id, c.Head()); err != nil || p.Version != 1_000 {
			b.Fatal(p.Version, err)
		}
	}
}

// Of a page of 50 projects in a tenant of 100,000 events: so many of them, on the
// whole, are the projects', and the rest are a task's.
func BenchmarkAsOfProjects(b *testing.B) {
	for _, share := range []int{50, 5_000, 100_000} {
		b.Run(fmt.Sprintf("project-events=%d", share), func(b *testing.B) {
			w := newWorld(b)
			c, ann := w.Found(b, "acme")
			for range 50 {
				grow(b, c, ann, c.CreateProject(b, ann, "Website"), share/50)
			}
			if share < 100_000 {
				growTasks(b, c, ann, c.ProjectIDs[0], 100_000)
			}
			s := c.Scope(b, ann)
			defer inMilliseconds(b)
			for b.Loop() {
				got, _, err := w.queries.ProjectsAsOf(b.Context(), s, ProjectFilter{}, Order{By: ByName}, Page{Limit: 50}, c.Head())
				if err != nil || len(got) != 50 {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}

// Of a page of 50 tasks, and of the comments on one, in a tenant of 100,000 events: 50
// projects and some 10,000 tasks with a comment on every hundredth.
func BenchmarkAsOfMix(b *testing.B) {
	w := newWorld(b)
	c, ann := w.Found(b, "acme")
	for range 50 {
		c.CreateProject(b, ann, "Website")
	}
	for n := int64(1_000); n <= 100_000; n += 1_000 {
		growTasks(b, c, ann, c.ProjectIDs[n/1_000%50], n)
		c.CreateComment(b, ann, c.TaskIDs[len(c.TaskIDs)-1], "Done?")
	}
	s := c.Scope(b, ann)
	b.Run("list=tasks", func(b *testing.B) {
		defer inMilliseconds(b)
		for b.Loop() {
			got, _, err := w.queries.TasksAsOf(b.Context(), s, TaskFilter{}, Order{}, Page{Limit: 50}, c.Head())
			if err != nil || len(got) != 50 {
				b.Fatal(len(got), err)
			}
		}
	})
	b.Run("list=comments", func(b *testing.B) {
		defer inMilliseconds(b)
		for b.Loop() {
			got, _, err := w.queries.CommentsAsOf(b.Context(), s, c.TaskIDs[len(c.TaskIDs)-1], Page{Limit: 50}, c.Head())
			if err != nil || len(got) != 1 {
				b.Fatal(len(got), err)
			}
		}
	})
}

// inMilliseconds reports a benchmark's time as the aims are given.
func inMilliseconds(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1_000/float64(b.N), "ms/op")
}

// growTasks appends tasks of 10 events each until the log has n events.
func growTasks(b *testing.B, c *tenanttest.Tenant, by domain.UserID, p domain.ProjectID, n int64) {
	b.Helper()
	for c.Head() < n {
		id := c.CreateTask(b, by, p, domain.CreateTask{Title: "Copy"})
		var events []domain.Event
		for i := range 9 {
			more, err := domain.DecideTask(c.Tasks[id], c.Actor(by), domain.EditTask{Project: c.Projects[p], Title: domain.To(fmt.Sprint("Copy ", i))})
			if err != nil {
				b.Fatal(err)
			}
			events = append(events, more...)
		}
		c.Append(b, c.Actor(by), eventstore.Commit{}, domain.Stream(domain.TaskStream, id), events)
	}
}
