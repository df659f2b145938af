package projections

import (
	"context"
	"errors"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"

	"github.com/google/go-cmp/cmp"
)

// skip has a read model leave out the event before which it stands, as an operator
// would, and returns the seq of the event that says so.
func (w *world) skip(t *testing.T, c *company, subscription string) (recorded int64) {
	t.Helper()
	parking := feed.NewParking(w.engine)
	for {
		_, err := parking.Skip(t.Context(), c.id, subscription, func(ctx context.Context, p feed.Parked) (int64, error) {
			stream := domain.StreamID{Type: domain.SubscriptionStream, ID: newID[domain.SecretID](t).UUID()}
			done, err := w.store.Append(ctx, eventstore.Commit{
				Command: newID[domain.CommandID](t),
				Parts: []eventstore.Part{{Tenant: c.id, Stream: stream, Events: []domain.Event{
					domain.SubscriptionEventSkipped{Subscription: subscription, Seq: p.Seq, Operator: "on-call", Reason: "damaged"},
				}}},
			})
			recorded = done.Seq(c.id)
			return recorded, err
		})
		if errors.As(err, new(*feed.NotParkedError)) {
			continue // it hasn't come to the event yet
		}
		if err != nil {
			t.Fatal(err)
		}
		return recorded
	}
}

// An event that the fold can't handle stops reads of the past as it stops the read
// model. Once an operator has skipped it, both say the same: of what it is about, of
// what belongs to that, and in lists, now and of every time from the event on.
func TestAsOfHeedsSkips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := fillCompany(t, w, 3)
	s := c.scope(t, ann)
	// Both can be read, and say of a field what it can't be.
	bad := `{"changes":[{"field":"visibility","from":null,"to":7}]}`
	ofProject := w.insert(t, c, domain.Stream(domain.ProjectStream, c.projectIDs[0]), "project.updated", 1, bad, `{}`)
	bad = `{"changes":[{"field":"priority","from":null,"to":7}]}`
	ofTask := w.insert(t, c, domain.Stream(domain.TaskStream, c.taskIDs[0]), "task.updated", 1, bad, `{}`)
	w.run(t, 5, Subscriptions())

	if _, err := w.queries.ProjectAsOf(t.Context(), s, c.projectIDs[0], ofProject); err == nil {
		t.Error("a project was folded over what makes no sense")
	}
	if _, err := w.queries.ProjectAsOf(t.Context(), s, c.projectIDs[0], ofProject-1); err != nil {
		t.Errorf("before the event: %v", err)
	}
	if _, _, err := w.queries.TasksAsOf(t.Context(), s, TaskFilter{}, Page{}, ofTask); err == nil {
		t.Error("tasks were folded over what makes no sense")
	}
	w.skip(t, c, projects.Name)
	// What is skipped in the projects isn't skipped in the tasks.
	if _, err := w.queries.TaskAsOf(t.Context(), s, c.taskIDs[0], ofTask); err == nil {
		t.Error("a task was folded over what makes no sense")
	}
	last := w.skip(t, c, tasks.Name)
	if !w.progress.Await(t.Context(), c.id, last, Models()...) {
		t.Fatal("the read models haven't come to the end of the log")
	}
	live := w.view(t, c, s, asked{}, nil)
	for _, seq := range []int64{ofTask, last} {
		for what, got := range w.view(t, c, s, asked{}, &seq) {
			if d := cmp.Diff(live[what], got); d != "" {
				t.Errorf("%s as of %d: -live +as of:\n%s", what, seq, d)
			}
		}
	}
}
