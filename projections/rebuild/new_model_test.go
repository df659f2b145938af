package rebuild

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
	"docket/projections"
)

// lengthen appends that many events to a company's log; no read model has rows of them yet.
func (w *world) lengthen(t testing.TB, c *tenanttest.Tenant, events int) {
	t.Helper()
	by := c.UserIDs[0]
	p := c.CreateProject(t, by, "Long")
	const most = 100
	for done := 0; done < events; done += most {
		var edits []domain.Event
		state := c.Projects[p]
		for i := range most {
			list, err := domain.DecideProject(state, c.Actor(by), domain.EditProject{Name: domain.To(fmt.Sprint("Long ", done+i))})
			if err != nil {
				t.Fatal(err)
			}
			edits = append(edits, list...)
			for _, e := range list {
				state.Version++
				if u, ok := e.(domain.ProjectUpdated); ok {
					state.Name = u.Name
				}
			}
		}
		c.Append(t, c.Actor(by), eventstore.Commit{}, domain.Stream(domain.ProjectStream, p), edits)
	}
}

// A read model that is new to a long log isn't answered before it is whole; the feed
// leaves the log to the build. A tenant that begins meanwhile is served at once, and the
// short log of one that was there too, without a build.
func TestNewModelOverOldLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long, ann := w.Company(t, 5)
	w.lengthen(t, long, feed.LongLog)
	short, bea := w.Company(t, 5)

	var folded atomic.Int64 // pages of the long log in the first generation
	slow, reached, goOn := hinder(projectsOf(1), long.Head()-100)
	inner := slow.Apply
	slow.Apply = func(ctx context.Context, p *feed.Page) error {
		if p.Tenant == long.ID && p.Generation == 1 {
			folded.Add(1)
		}
		return inner(ctx, p)
	}
	// The half may be asked for before anyone has begun with it.
	b := w.start(t, slow, 500, true)
	lagging := func() {
		t.Helper()
		_, _, err := b.queries.Projects(t.Context(), long.Scope(t, ann), projections.ProjectFilter{}, projections.Order{}, projections.Page{}, projections.Fresh{})
		var refused *domain.Error
		if !errors.As(err, &refused) || refused.Code != domain.CodeReadModelLagging {
			t.Fatalf("a half is answered: %v; want %s", err, domain.CodeReadModelLagging)
		}
	}
	lagging()
	tenanttest.Receive(t, "the build of the long log isn't near its end", reached)
	lagging()
	young, cem := w.Found(t, "young")
	young.CreateProject(t, cem, "At once")
	for _, s := range []domain.Scope{young.Scope(t, cem)} {
		// Even with nothing folded yet, as ever.
		if _, _, err := b.queries.Projects(t.Context(), s, projections.ProjectFilter{}, projections.Order{}, projections.Page{}, projections.Fresh{}); err != nil {
			t.Errorf("a tenant that began after the model: %v", err)
		}
	}
	w.becomes(t, young, "projects", 1)
	w.becomes(t, short, "projects", 1)
	for _, c := range []*tenanttest.Tenant{young, short} {
		w.projectNames(t, c, 1)
		if g, _, _ := w.live(t, c, "projects"); g != 1 {
			t.Errorf("a short log was built: generation %d", g)
		}
	}
	tenanttest.Eventually(t, "the short log's 5 projects aren't answered", func() (bool, any) {
		items, _, err := b.queries.Projects(t.Context(), short.Scope(t, bea), projections.ProjectFilter{}, projections.Order{}, projections.Page{}, projections.Fresh{Min: short.Head()})
		return err == nil && len(items) == 5, fmt.Sprintf("%d projects, %v", len(items), err)
	})
	lagging()
	goOn()
	w.becomes(t, long, "projects", 1)
	w.projectNames(t, long, 1)
	items, _, err := b.queries.Projects(t.Context(), long.Scope(t, ann), projections.ProjectFilter{}, projections.Order{}, projections.Page{}, projections.Fresh{Min: long.Head()})
	if err != nil || len(items) != 6 {
		t.Errorf("%d projects of the long log, want 6 (%v)", len(items), err)
	}
	if g, _, _ := w.live(t, long, "projects"); g != 2 || folded.Load() > 0 {
		t.Errorf("the long log was handled by the feed: generation %d, %d pages; want generation 2 and no page", g, folded.Load())
	}
}

// Without a builder the feed handles long logs too. Where a build fails, the feed parks at
// the event, where an operator finds it.
func TestNewModelWithoutABuild(t *testing.T) {
	t.Parallel()
	for _, builds := range []bool{false, true} {
		t.Run(fmt.Sprint("builds ", builds), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c, ann := w.Company(t, 5)
			w.lengthen(t, c, feed.LongLog)
			m, poison := projectsOf(1), c.Head()/2
			if builds {
				fill := m.Apply
				m.Apply = func(ctx context.Context, p *feed.Page) error {
					if p.Events[0].Seq <= poison && p.Events[len(p.Events)-1].Seq >= poison {
						return errors.New("poison")
					}
					return fill(ctx, p)
				}
			}
			b := w.start(t, m, 50, builds) // small, as all of a page that fails comes again one by one
			if builds {
				parking := feed.NewParking(w.Engine)
				tenanttest.Eventually(t, fmt.Sprintf("the feed isn't parked at event %d", poison), func() (bool, any) {
					_, err := parking.Skip(t.Context(), c.ID, "projects", func(_ context.Context, p feed.Parked) (int64, error) {
						if p.Seq != poison {
							return 0, &feed.NotParkedError{}
						}
						return c.Head(), nil
					})
					return err == nil, err
				})
			}
			w.becomes(t, c, "projects", 1)
			if !builds {
				w.projectNames(t, c, 1)
			}
			tenanttest.Eventually(t, "the projects aren't answered", func() (bool, any) {
				_, _, err := b.queries.Projects(t.Context(), c.Scope(t, ann), projections.ProjectFilter{}, projections.Order{}, projections.Page{}, projections.Fresh{})
				return err == nil, err
			})
		})
	}
}
