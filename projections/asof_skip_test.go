package projections

import (
	"context"
	"errors"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/google/go-cmp/cmp"
)

// skip has a read model leave out the event before which it stands, as an operator
// would, and returns the seq of the event that says so.
func (w *world) Skip(t *testing.T, c *tenanttest.Tenant, subscription string) (recorded int64) {
	t.Helper()
	parking := feed.NewParking(w.Engine)
	for {
		_, err := parking.Skip(t.Context(), c.ID, subscription, func(ctx context.Context, p feed.Parked) (int64, error) {
			stream := domain.StreamID{Type: domain.SubscriptionStream, ID: tenanttest.NewID[domain.SecretID](t).UUID()}
			done, err := w.Store.Append(ctx, eventstore.Commit{
				Command: tenanttest.NewID[domain.CommandID](t),
				Parts: []eventstore.Part{{Tenant: c.ID, Stream: stream, Events: []domain.Event{
					domain.SubscriptionEventSkipped{Subscription: subscription, Seq: p.Seq, Operator: "on-call", Reason: "damaged"},
				}}},
			})
			recorded = done.Seq(c.ID)
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
	c, ann := w.Company(t, 3)
	s := c.Scope(t, ann)
	// Both can be read, and say of a field what it can't be.
	bad := `{"changes":[{"field":"visibility","from":null,"to":7}]}`
	ofProject := w.Insert(t, c, domain.Stream(domain.ProjectStream, c.ProjectIDs[0]), "project.updated", 1, bad, `{}`)
	bad = `{"changes":[{"field":"priority","from":null,"to":7}]}`
	ofTask := w.Insert(t, c, domain.Stream(domain.TaskStream, c.TaskIDs[0]), "task.updated", 1, bad, `{}`)
	w.RunAll(t, 5)

	if _, err := w.queries.ProjectAsOf(t.Context(), s, c.ProjectIDs[0], ofProject); err == nil {
		t.Error("a project was folded over what makes no sense")
	}
	if _, err := w.queries.ProjectAsOf(t.Context(), s, c.ProjectIDs[0], ofProject-1); err != nil {
		t.Errorf("before the event: %v", err)
	}
	if _, _, err := w.queries.TasksAsOf(t.Context(), s, TaskFilter{}, Order{}, Page{}, ofTask); err == nil {
		t.Error("tasks were folded over what makes no sense")
	}
	w.Skip(t, c, projects.Name)
	// What is skipped in the projects isn't skipped in the tasks.
	if _, err := w.queries.TaskAsOf(t.Context(), s, c.TaskIDs[0], ofTask); err == nil {
		t.Error("a task was folded over what makes no sense")
	}
	last := w.Skip(t, c, tasks.Name)
	if !w.Positions.Await(t.Context(), c.ID, last, Models()...) {
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
