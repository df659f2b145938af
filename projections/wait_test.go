package projections

import (
	"fmt"
	"testing"
	"time"

	"docket/domain"
)

// A read that names the seq of a write sees it, if it may wait for it.
func TestReadsSeeOwnWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.queries.OwnWait = time.Minute // a machine may be busy
	w.RunAll(t, 50)
	c, ann := w.Found(t, "acme")
	p := c.CreateProject(t, ann, "Website")
	s := c.Scope(t, ann)
	for i := range 100 {
		name := fmt.Sprint("Website ", i)
		if err := c.ChangeProject(t, ann, p, domain.EditProject{Name: domain.To(name)}); err != nil {
			t.Fatal(err)
		}
		got, err := w.queries.Project(t.Context(), s, p, Fresh{Seq: c.Head()})
		if err != nil {
			t.Fatal(err)
		}
		if got.Name != name {
			t.Errorf("the read after write %d was answered before its time: %q", i, got.Name)
		}
	}
}

// A read model that stands still is answered as it is, after a while.
func TestReadsOfALaggingModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Found(t, "acme")
	p := c.CreateProject(t, ann, "Website")
	stop := w.RunAll(t, 50)
	w.Caught(t, c)
	stop()
	if err := c.ChangeProject(t, ann, p, domain.EditProject{Name: domain.To("Renamed")}); err != nil {
		t.Fatal(err)
	}
	s := c.Scope(t, ann)
	got, err := w.queries.Project(t.Context(), s, p, Fresh{Seq: c.Head()})
	if err != nil || got.Name != "Website" {
		t.Errorf("got %q, %v", got.Name, err)
	}
}
