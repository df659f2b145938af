package projections

import (
	"fmt"
	"testing"

	"docket/domain"
	"docket/eventstore"
)

// grow appends changes to a project until its stream has n events, 1,000 a Commit.
func (c *company) grow(b *testing.B, by domain.UserID, id domain.ProjectID, n int) {
	b.Helper()
	for c.projects[id].Version < n {
		state := c.projects[id]
		var events []domain.Event
		for i := range min(1_000, n-state.Version) {
			more, err := domain.DecideProject(state, c.by(by), domain.EditProject{Name: domain.To(fmt.Sprint("Name ", state.Version, i))})
			if err != nil {
				b.Fatal(err)
			}
			events = append(events, more...)
		}
		c.append(b, c.by(by), eventstore.Commit{}, domain.Stream(domain.ProjectStream, id), events)
	}
}

// Of one project with 1,000 events, in a tenant with others.
func BenchmarkAsOfProject(b *testing.B) {
	w := newWorld(b)
	c, ann := w.found(b, "acme")
	id := c.create(b, ann, "Website")
	c.grow(b, ann, id, 1_000)
	s := c.scope(b, ann)
	defer inMilliseconds(b)
	for b.Loop() {
		if p, err := w.queries.ProjectAsOf(b.Context(), s, id, c.head()); err != nil || p.Version != 1_000 {
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
			c, ann := w.found(b, "acme")
			for range 50 {
				c.grow(b, ann, c.create(b, ann, "Website"), share/50)
			}
			if share < 100_000 {
				c.growTasks(b, ann, c.projectIDs[0], 100_000)
			}
			s := c.scope(b, ann)
			defer inMilliseconds(b)
			for b.Loop() {
				got, _, err := w.queries.ProjectsAsOf(b.Context(), s, ProjectFilter{}, ProjectOrder{By: ByName}, Page{Limit: 50}, c.head())
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
	c, ann := w.found(b, "acme")
	for range 50 {
		c.create(b, ann, "Website")
	}
	for n := int64(1_000); n <= 100_000; n += 1_000 {
		c.growTasks(b, ann, c.projectIDs[n/1_000%50], n)
		c.say(b, ann, c.taskIDs[len(c.taskIDs)-1], "Done?")
	}
	s := c.scope(b, ann)
	b.Run("list=tasks", func(b *testing.B) {
		defer inMilliseconds(b)
		for b.Loop() {
			got, _, err := w.queries.TasksAsOf(b.Context(), s, TaskFilter{}, Page{Limit: 50}, c.head())
			if err != nil || len(got) != 50 {
				b.Fatal(len(got), err)
			}
		}
	})
	b.Run("list=comments", func(b *testing.B) {
		defer inMilliseconds(b)
		for b.Loop() {
			got, _, err := w.queries.CommentsAsOf(b.Context(), s, c.taskIDs[len(c.taskIDs)-1], Page{Limit: 50}, c.head())
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
func (c *company) growTasks(b *testing.B, by domain.UserID, p domain.ProjectID, n int64) {
	b.Helper()
	for c.head() < n {
		id := c.add(b, by, p, domain.CreateTask{Title: "Copy"})
		var events []domain.Event
		for i := range 9 {
			more, err := domain.DecideTask(c.tasks[id], c.by(by), domain.EditTask{Project: c.projects[p], Title: domain.To(fmt.Sprint("Copy ", i))})
			if err != nil {
				b.Fatal(err)
			}
			events = append(events, more...)
		}
		c.append(b, c.by(by), eventstore.Commit{}, domain.Stream(domain.TaskStream, id), events)
	}
}
