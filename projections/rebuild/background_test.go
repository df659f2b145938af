package rebuild

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"docket/eventstore/feed"
	"docket/internal/tenanttest"
	"docket/projections"
)

// The next program resumes an interrupted build, in the same generation.
func TestBackgroundBuildInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 20)
	older := w.start(t, projectsOf(1), 50, false)
	w.becomes(t, c, "projects", 1)
	older.stop()
	var last int64
	for part := int64(1); part <= 3; part++ {
		slow, reached, _ := hinder(projectsOf(2), part*c.Head()/4)
		b := w.start(t, slow, 3, true)
		tenanttest.Receive(t, fmt.Sprintf("the build isn't at part %d", part), reached)
		b.stop()
		var builds int
		var seq int64
		if err := w.Engine.QueryRow(t.Context(), `select count(*), max(seq) from checkpoints
where tenant_id = $1 and subscription = 'projects' and generation > 1`, c.ID.UUID()).Scan(&builds, &seq); err != nil {
			t.Fatal(err)
		}
		if builds != 1 || seq <= last {
			t.Fatalf("%d builds, at %d after %d; want the same build, further than before", builds, seq, last)
		}
		last = seq
		w.projectNames(t, c, 1)
	}
	w.start(t, projectsOf(2), 3, true)
	w.becomes(t, c, "projects", 2)
	w.projectNames(t, c, 2)
	w.dropped(t, c)
}

// Rows with events that the log has lost are built again, by the same fold.
func TestBackgroundBuildAfterLostEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 3)
	before := w.start(t, projectsOf(1), 50, false)
	w.becomes(t, c, "projects", 1)
	before.stop()
	for _, sql := range []string{
		`update checkpoints set seq = seq + 2 where tenant_id = $1 and subscription = 'projects'`,
		`insert into projects select (jsonb_populate_record(p, jsonb_build_object('id', gen_random_uuid()))).* from projects p where tenant_id = $1 limit 1`,
	} {
		if _, err := w.Engine.Exec(t.Context(), sql, c.ID.UUID()); err != nil {
			t.Fatal(err)
		}
	}
	w.start(t, projectsOf(1), 50, true)
	tenanttest.Until(t, w.Engine, `select count(*) = 1 from generations where tenant_id = $1 and subscription = 'projects' and current = 2`, c.ID.UUID())
	w.dropped(t, c)
	var rows int
	if err := w.Engine.QueryRow(t.Context(), `select count(*) from projects where tenant_id = $1`, c.ID.UUID()).Scan(&rows); err != nil || rows != len(c.ProjectIDs) {
		t.Errorf("%d projects, %v; want the %d of the log", rows, err, len(c.ProjectIDs))
	}
	w.projectNames(t, c, 1)
}

// A build that has failed, and that another process has in hand then, is looked at again
// after a growing pause, not every second; it is no failure. Once the other has done it
// nothing is remembered.
func TestBackgroundBuildInOtherHands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 3)
	older := w.start(t, projectsOf(1), 50, false)
	w.becomes(t, c, "projects", 1)
	older.stop()
	newer, n := projectsOf(2), target{c.ID, "projects"}
	b := newBackground(BackgroundConfig{Engine: w.DB.Engine(t), Every: 3 * time.Second}, []projections.ReadModel{newer})
	b.delayed[n] = delay{failures: 3} // to be tried again by now
	build, err := tenanttest.StartBuild(t.Context(), w.Engine, c.ID, "projects", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer build.Close()
	for _, wait := range []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second} {
		began := time.Now()
		again := b.runPending(t.Context())
		f := b.delayed[n]
		if again > wait || f.until.Before(began.Add(wait)) {
			t.Errorf("looked at again after %v, at %v; want %v after %v", again, f.until, wait, began)
		}
		f.until = time.Now()
		b.delayed[n] = f
	}
	if _, failures, waiting := b.Counts(); failures != 0 || waiting != 1 || b.delayed[n].failures != 3 {
		t.Errorf("%d failures counted, %d waiting, delayed as %+v; want none counted, one waiting, and the 3 failures of before", failures, waiting, b.delayed[n])
	}
	needs, err := feed.PendingBuilds(t.Context(), w.Engine, b.versions)
	if err != nil || len(needs) != 1 {
		t.Fatalf("pending are %+v, %v; want the one build", needs, err)
	}
	if err := build.Switch(t.Context(), 1000, newer.Apply); err != nil {
		t.Fatal(err)
	}
	build.Close()
	b.build(t.Context(), needs)
	if len(b.delayed) > 0 {
		t.Errorf("remembered of what another has done: %+v; want nothing", b.delayed)
	}
}

// A build that fails is seen by operators, how often and why, until it goes on; the old
// rows are read, and nothing is parked.
func TestBackgroundBuildThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 5)
	older := w.start(t, projectsOf(1), 50, false)
	w.becomes(t, c, "projects", 1)
	older.stop()
	poisoned, good, poison := projectsOf(2), projectsOf(2), c.Head()/2
	poisoned.Apply = func(ctx context.Context, p *feed.Page) error {
		if p.Events[len(p.Events)-1].Seq >= poison {
			return errors.New("po\x00\xffison") // what no text in Postgres may have
		}
		return good.Apply(ctx, p)
	}
	b := newBackground(BackgroundConfig{Engine: w.DB.Engine(t)}, []projections.ReadModel{poisoned})
	b.rebuilder.PageSize = 3
	status := func() feed.Status {
		t.Helper()
		s, err := feed.StatusOf(t.Context(), w.Engine, "projects")
		if err != nil || len(s.Parked) > 0 || len(s.Running) > 0 {
			t.Fatalf("the status is %+v, %v; want nothing parked and nothing running", s, err)
		}
		return s
	}
	for attempts := 1; attempts <= 2; attempts++ {
		b.delayed = delays{} // it is due
		b.runPending(t.Context())
		failed := status().FailedBuilds
		if len(failed) != 1 || failed[0].Tenant != c.ID || failed[0].Generation != 2 || failed[0].FoldVersion != 2 || failed[0].Attempts != attempts ||
			failed[0].Seq >= failed[0].Head || failed[0].Head != c.Head() || failed[0].Since.IsZero() || !strings.HasSuffix(failed[0].Error, ": po\uFFFD\uFFFDison") {
			t.Errorf("after %d attempts the failed builds are %+v; want one of generation 2 and fold 2, with as many attempts, before the head %d, and the error in valid UTF-8",
				attempts, failed, c.Head())
		}
		w.projectNames(t, c, 1)
	}
	// A failure after its last page is forgotten by the flip.
	build, err := tenanttest.StartBuild(t.Context(), w.Engine, c.ID, "projects", 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Page(t.Context(), 1000, good.Apply); err != nil {
		t.Fatal(err)
	}
	build.Close()
	if failed := status().FailedBuilds; len(failed) > 0 {
		t.Errorf("after a page the failed builds are %+v; want none", failed)
	}
	if err := feed.NoteFailure(t.Context(), w.Engine, c.ID, "projects", 2, errors.New("too late")); err != nil {
		t.Fatal(err)
	}
	b = newBackground(BackgroundConfig{Engine: w.DB.Engine(t)}, []projections.ReadModel{good})
	b.runPending(t.Context())
	if failed := status().FailedBuilds; len(failed) > 0 {
		t.Errorf("when it is built the failed builds are %+v; want none", failed)
	}
	var troubled int
	if err := w.Engine.QueryRow(t.Context(), `select count(*) from checkpoints where failures > 0 or error is not null or failed_at is not null`).Scan(&troubled); err != nil || troubled > 0 {
		t.Errorf("%d checkpoints still have failures, want none (%v)", troubled, err)
	}
	w.projectNames(t, c, 2)
}
