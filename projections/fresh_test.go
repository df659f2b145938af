package projections

import (
	"errors"
	"fmt"
	"testing"

	"docket/domain"
)

// Every read that names the seq of a write sees it.
func TestReadsSeeOwnWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, 50, Subscriptions())
	c, ann := w.found(t, "acme")
	p := c.create(t, ann, "Website")
	s := c.scope(t, ann)
	for i := range 100 {
		name := fmt.Sprint("Website ", i)
		if err := c.project(t, ann, p, domain.EditProject{Name: domain.To(name)}); err != nil {
			t.Fatal(err)
		}
		got, err := w.queries.Project(t.Context(), s, p, Fresh{Min: c.head()})
		if err != nil || got.Name != name {
			t.Fatalf("after %q: got %q, %v", name, got.Name, err)
		}
	}
}

// A read model that stands still is answered as it is to who only wrote, and
// refused to who insists.
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
	_, err = w.queries.Project(t.Context(), s, p, Fresh{Min: c.head()})
	if !errors.Is(err, domain.Refuse(domain.CodeReadModelLagging, "")) {
		t.Errorf("got %v", err)
	}
	_, err = w.queries.Project(t.Context(), s, p, Fresh{Min: c.head() + 1})
	if !errors.Is(err, domain.Refuse(domain.CodeMalformed, "")) {
		t.Errorf("got %v", err)
	}
}
