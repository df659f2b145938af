package rebuild

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
	"docket/projections"

	"pgregory.net/rapid"
)

// While the newer program builds, the older keeps the rows that are read; after the flip
// it never folds into the newer's, which the newer keeps. All that while events are
// appended.
func TestFoldVersionsSideBySide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Company(t, 20)
	older := w.start(t, projectsOf(1), 5, true)
	w.becomes(t, c, "projects", 1)
	w.projectNames(t, c, 1)

	slow, reached, goOn := hinder(projectsOf(2), c.Head()/2)
	newer := w.start(t, slow, 5, true)
	tenanttest.Receive(t, "the newer build isn't half way", reached)
	edits := 0
	edit := func() {
		t.Helper()
		edits++
		if err := c.ChangeProject(t, ann, c.ProjectIDs[edits%20], domain.EditProject{Name: domain.To(fmt.Sprint("Edit ", edits))}); err != nil {
			t.Fatal(err)
		}
		// The notification reaches both, as from another replica, before their sweeps find the event.
		if _, err := w.Engine.Exec(t.Context(), `select pg_notify('docket_news', 'another ' || $1::text)`, c.ID.String()); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		edit()
		w.becomes(t, c, "projects", 1) // the older goes on, and the newer lets it
	}
	w.projectNames(t, c, 1)
	status, err := feed.StatusOf(t.Context(), w.Engine, "projects")
	if err != nil || len(status.Running) != 1 || status.Running[0].FoldVersion != 2 || status.Running[0].Tenant != c.ID ||
		status.Running[0].By != "a test" || filledBy(status) != "1" {
		t.Errorf("while it is built the status is %+v, %v; want one build of fold 2 by a test, beside rows of fold 1", status, err)
	}
	goOn()
	for flipped, deadline := false, time.Now().Add(tenanttest.MaxWait); !flipped; {
		edit()
		g, v, seq := w.live(t, c, "projects")
		flipped = v == 2
		if !flipped && time.Now().After(deadline) {
			t.Fatalf("after %s and %d edits generation %d of fold %d is read, at %d of %d; want fold 2", tenanttest.MaxWait, edits, g, v, seq, c.Head())
		}
	}
	for range 50 {
		edit()
	}
	w.becomes(t, c, "projects", 2)
	w.projectNames(t, c, 2)
	w.dropped(t, c)
	status, err = feed.StatusOf(t.Context(), w.Engine, "projects")
	if err != nil || len(status.Running) != 0 || filledBy(status) != "2" {
		t.Errorf("when it is built the status is %+v, %v; want no build, and rows of fold 2 only", status, err)
	}

	// Readers at the older one see what the newer has folded.
	got, err := older.queries.Project(t.Context(), c.Scope(t, ann), c.ProjectIDs[edits%20], projections.Fresh{Min: c.Head()})
	if err != nil || got.Name != fmt.Sprintf("Edit %d by fold 2", edits) {
		t.Errorf("the older one answers %q, %v; want edit %d by fold 2", got.Name, err, edits)
	}

	// Without the newer one the older leaves the rows as they are, and counts no failure.
	newer.stop()
	edit()
	// Its builder has scanned, and its feed has seen every later event: it handles two
	// events of another tenant.
	older.builds.runPending(t.Context())
	other, bea := w.Found(t, "other")
	for range 2 {
		other.CreateProject(t, bea, "Witness")
		w.becomes(t, other, "projects", 1)
	}
	if g, v, seq := w.live(t, c, "projects"); g != 2 || v != 2 || seq != c.Head()-1 {
		t.Errorf("after the newer has stopped: generation %d of fold %d at %d of %d; want generation 2 of fold 2 one before the head", g, v, seq, c.Head())
	}
	var troubled int
	if err := w.Engine.QueryRow(t.Context(), `select count(*) from checkpoints where failures > 0`).Scan(&troubled); err != nil || troubled > 0 {
		t.Errorf("%d checkpoints have failures, want none (%v)", troubled, err)
	}
	// An operator goes back.
	back := New(w.Engine)
	told := &reporter{}
	err = back.rebuildTenant(t.Context(), c.ID, []projections.ReadModel{projectsOf(1)}, told, (*feed.Builds).Start, (*builder).rebuild)
	if err != nil || len(told.failures) > 0 {
		t.Fatalf("back to fold 1: %v, and it told of %v; want no failure", err, told.failures)
	}
	edit()
	w.becomes(t, c, "projects", 1)
	w.projectNames(t, c, 1)
	older.stop()
}

// Whatever happens in which order – appends, programs of both versions that begin and are
// stopped, interrupted builds – in the end the rows are those of the newer fold,
// and there was never a row of one fold in the other's generation.
func TestAnyRolloutEndsInTheNewerFold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		c, ann := w.Company(rt, rapid.IntRange(1, 4).Draw(rt, "projects"))
		running := map[int]*binary{}
		defer func() {
			for _, b := range running {
				b.stop()
			}
		}()
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch version := rapid.IntRange(1, 2).Draw(rt, "version"); rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				if b := running[version]; b != nil {
					b.stop()
					delete(running, version)
					continue
				}
				running[version] = w.start(t, projectsOf(version), rapid.IntRange(1, 9).Draw(rt, "page"), true)
			case 1: // a build of either version that dies after some pages
				w.dies(rt, c, version, rapid.IntRange(0, 4).Draw(rt, "pages"))
			case 2:
				c.CreateProject(rt, ann, "One more")
			default:
				for range rapid.IntRange(1, 5).Draw(rt, "edits") {
					id := rapid.SampledFrom(c.ProjectIDs).Draw(rt, "project")
					if err := c.ChangeProject(rt, ann, id, domain.EditProject{Name: domain.To(fmt.Sprint("Edit ", c.Head()))}); err != nil {
						rt.Fatal(err)
					}
				}
			}
			w.unmixed(rt, c)
		}
		if running[2] == nil {
			running[2] = w.start(t, projectsOf(2), 5, true)
		}
		w.becomes(rt, c, "projects", 2)
		w.projectNames(rt, c, 2)
		w.unmixed(rt, c)
	})
}

// dies begins a build and breaks it off.
func (w *world) dies(t tenanttest.TB, c *tenanttest.Tenant, version, pages int) {
	t.Helper()
	builds, err := feed.OpenBuilds(context.Background(), w.Engine, c.ID, "one that dies")
	if err != nil {
		t.Fatal(err)
	}
	defer builds.Close()
	build, err := builds.Supersede(context.Background(), "projects", version)
	var running *feed.BuildRunningError
	if errors.Is(err, feed.ErrNotNeeded) || errors.As(err, &running) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for range pages {
		if _, err := build.Page(context.Background(), 3, projectsOf(version).Apply); err != nil {
			t.Fatal(err)
		}
	}
}

// unmixed fails where a generation has rows of two folds.
func (w *world) unmixed(t tenanttest.TB, c *tenanttest.Tenant) {
	t.Helper()
	var mixed int
	if err := w.Engine.QueryRow(context.Background(), `select count(*) from (
  select generation from projects where tenant_id = $1 group by generation having count(distinct right(name, 1)) > 1) m`, c.ID.UUID()).Scan(&mixed); err != nil {
		t.Fatal(err)
	}
	if mixed > 0 {
		t.Fatal("a generation has rows of two folds")
	}
}
