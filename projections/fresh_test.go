package projections

import (
	"fmt"
	"testing"

	"docket/domain"
)

// A read that names the seq of a write sees it. It waits only so long, and a
// machine may be busy: but not every time.
func TestReadsSeeOwnWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, 50, Subscriptions())
	c, ann := w.found(t, "acme")
	p := c.create(t, ann, "Website")
	s := c.scope(t, ann)
	const writes = 100
	stale := 0
	for i := range writes {
		name := fmt.Sprint("Website ", i)
		if err := c.project(t, ann, p, domain.EditProject{Name: domain.To(name)}); err != nil {
			t.Fatal(err)
		}
		got, err := w.queries.Project(t.Context(), s, p, Fresh{Seq: c.head()})
		if err != nil {
			t.Fatal(err)
		}
		if got.Name != name {
			stale++
		}
	}
	if stale > writes/2 {
		t.Errorf("%d of %d reads were answered before their time", stale, writes)
	}
}

// A read model that stands still is answered as it is, after a while.
func TestReadsOfALaggingModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.found(t, "acme")
	p := c.create(t, ann, "Website")
	stop := w.run(t, 50, Subscriptions())
	w.caught(t, c)
	stop()
	if err := c.project(t, ann, p, domain.EditProject{Name: domain.To("Renamed")}); err != nil {
		t.Fatal(err)
	}
	s := c.scope(t, ann)
	got, err := w.queries.Project(t.Context(), s, p, Fresh{Seq: c.head()})
	if err != nil || got.Name != "Website" {
		t.Errorf("got %q, %v", got.Name, err)
	}
}
