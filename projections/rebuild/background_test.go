package rebuild

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/postgres"
	"docket/internal/tenanttest"
	"docket/projections"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"
)

// projectsOf is the read model projects with another version of its fold, whose rows
// tell from those of others: every name has its version.
func projectsOf(version int) projections.ReadModel {
	m := renaming(`regexp_replace(name, ' by fold [0-9]+$', '') || ' by fold ' || '` + fmt.Sprint(version) + `'`)
	m.FoldVersion = version
	return m
}

// binary is a program with one version of one read model's fold.
type binary struct {
	world     *world
	model     projections.ReadModel
	builds    *Background // nil: it builds nothing
	progress  *feed.Positions
	queries   *projections.Queries
	stopFeed  func()
	closePool func()
}

// start runs a program: its feed and, if it builds, its builder.
func (w *world) start(t testing.TB, m projections.ReadModel, pageSize int, builds bool) *binary {
	t.Helper()
	b := &binary{world: w, model: m, progress: feed.NewPositions(w.API)}
	pool, err := postgres.Pool(context.Background(), w.DB.EngineURL, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 12, AppName: "test"})
	if err != nil {
		t.Fatal(err)
	}
	// Not only when the test ends: a test may start many.
	b.closePool = sync.OnceFunc(pool.Close)
	t.Cleanup(b.closePool)
	b.queries = projections.NewQueries(w.API, b.progress)
	cfg := feed.Config{
		Pool: pool, PageSize: pageSize, Workers: 2, Sweep: 20 * time.Millisecond,
		Interests: map[string]feed.Interest{m.Name: m.Interest()},
	}
	if builds {
		b.builds = newBackground(BackgroundConfig{Engine: pool, By: "a test", Every: 20 * time.Millisecond}, []projections.ReadModel{m})
		b.builds.rebuilder.PageSize = pageSize
		b.builds.Start()
		t.Cleanup(b.builds.Stop)
		cfg.Leave = b.builds.Accepts
	}
	events := feed.New(cfg, b.progress)
	if err := events.Begin(context.Background()); err != nil {
		t.Fatal(err)
	}
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		t.Fatal(err)
	}
	router.AddMiddleware(middleware.Recoverer)
	router.AddConsumerHandler(m.Name, m.Name, events, feed.Handle(m.Apply))
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	<-router.Running()
	b.stopFeed = sync.OnceFunc(func() {
		if err := errors.Join(router.Close(), <-ended); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stopFeed)
	return b
}

func (b *binary) stop() {
	b.stopFeed()
	if b.builds != nil {
		b.builds.Stop()
	}
	b.closePool()
}

// live is the generation that is read, its fold version and where it stands.
func (w *world) live(t tenanttest.TB, c *tenanttest.Tenant, model string) (generation, foldVersion int, seq int64) {
	t.Helper()
	err := w.Engine.QueryRow(context.Background(), `select c.generation, coalesce(c.fold_version, 1), c.seq from checkpoints c
left join generations g on g.tenant_id = c.tenant_id and g.subscription = c.subscription
where c.tenant_id = $1 and c.subscription = $2 and c.generation = coalesce(g.current, 1)`, c.ID.UUID(), model).Scan(&generation, &foldVersion, &seq)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	return generation, foldVersion, seq
}

// testsBegan is when the tests of this package began, or a moment later.
var testsBegan = time.Now()

// nearlyOver reports whether the time that all tests have is just enough to say what is
// wrong.
func nearlyOver() bool {
	limit := flag.Lookup("test.timeout").Value.(flag.Getter).Get().(time.Duration)
	return limit > 0 && time.Since(testsBegan) > limit/10*9
}

// lookPause is the pause between two looks at what others are about to do.
const lookPause = 2 * time.Millisecond

// becomes waits until the generation that is read is of a fold version and at the log's end.
func (w *world) becomes(t tenanttest.TB, c *tenanttest.Tenant, model string, version int) {
	t.Helper()
	for ; ; time.Sleep(lookPause) {
		g, v, seq := w.live(t, c, model)
		if v == version && seq == c.Head() {
			return
		}
		if nearlyOver() {
			t.Fatalf("generation %d of fold %d at %d of %d", g, v, seq, c.Head())
		}
	}
}

// filledBy are the fold versions of the generations that are read, without the
// platform's log, which is empty.
func filledBy(s feed.Status) (versions string) {
	for _, g := range s.Generations {
		if g.FoldVersion > 0 {
			versions += fmt.Sprint(g.FoldVersion)
		}
	}
	return versions
}

// dropped waits until the generation that is read is the only one with rows.
func (w *world) dropped(t tenanttest.TB, c *tenanttest.Tenant) {
	t.Helper()
	for ; ; time.Sleep(lookPause) {
		var generations int
		if err := w.Engine.QueryRow(context.Background(), `select count(distinct generation) from projects where tenant_id = $1`,
			c.ID.UUID()).Scan(&generations); err != nil {
			t.Fatal(err)
		}
		if generations == 1 {
			break
		}
		if nearlyOver() {
			t.Fatalf("%d generations have rows", generations)
		}
	}
	g, _, _ := w.live(t, c, "projects")
	w.onlyGeneration(t, c, modelOf(t, "projects"), g)
}

// projectNames fails unless each row of the generation that is read is as a fold version
// makes it of the whole log.
func (w *world) projectNames(t tenanttest.TB, c *tenanttest.Tenant, version int) {
	t.Helper()
	g, v, _ := w.live(t, c, "projects")
	rows, err := w.Engine.Query(context.Background(), `select id::text || ' ' || version || ' ' || name from projects
where tenant_id = $1 and generation = $2 order by 1`, c.ID.UUID(), g)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for id, p := range c.Projects {
		if p.Exists() {
			want[fmt.Sprintf("%s %d %s by fold %d", id, p.Version, p.Name, version)] = true
		}
	}
	for _, row := range got {
		if !want[row] {
			t.Fatalf("generation %d of fold %d: there shouldn't be the row %q", g, v, row)
		}
	}
	if len(got) != len(want) || v != version {
		t.Fatalf("generation %d of fold %d: %d rows, want %d of fold %d", g, v, len(got), len(want), version)
	}
}

// hinder makes the fold of a model wait at an event until the channel is closed, and says
// when it has come there.
func hinder(m projections.ReadModel, seq int64) (slow projections.ReadModel, reached <-chan struct{}, goOn func()) {
	at, open := make(chan struct{}), make(chan struct{})
	var once sync.Once
	slow = m
	slow.Apply = func(ctx context.Context, p *feed.Page) error {
		if len(p.Events) > 0 && p.Events[len(p.Events)-1].Seq >= seq {
			once.Do(func() { close(at) })
			select {
			case <-open:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return m.Apply(ctx, p)
	}
	return slow, at, sync.OnceFunc(func() { close(open) })
}

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
	<-reached
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
		t.Errorf("while it is built: %+v, %v", status, err)
	}
	goOn()
	for flipped := false; !flipped; {
		edit()
		_, v, _ := w.live(t, c, "projects")
		flipped = v == 2
	}
	for range 50 {
		edit()
	}
	w.becomes(t, c, "projects", 2)
	w.projectNames(t, c, 2)
	w.dropped(t, c)
	status, err = feed.StatusOf(t.Context(), w.Engine, "projects")
	if err != nil || len(status.Running) != 0 || filledBy(status) != "2" {
		t.Errorf("when it is built: %+v, %v", status, err)
	}

	// Readers at the older one see what the newer has folded.
	got, err := older.queries.Project(t.Context(), c.Scope(t, ann), c.ProjectIDs[edits%20], projections.Fresh{Min: c.Head()})
	if err != nil || got.Name != fmt.Sprintf("Edit %d by fold 2", edits) {
		t.Errorf("the older one answers %q, %v", got.Name, err)
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
		t.Errorf("after the newer has stopped: generation %d of fold %d at %d of %d", g, v, seq, c.Head())
	}
	var troubled int
	if err := w.Engine.QueryRow(t.Context(), `select count(*) from checkpoints where failures > 0`).Scan(&troubled); err != nil || troubled > 0 {
		t.Errorf("%d failures, %v", troubled, err)
	}
	// An operator goes back.
	back := New(w.Engine)
	told := &reporter{}
	err = back.rebuildTenant(t.Context(), c.ID, []projections.ReadModel{projectsOf(1)}, told, (*feed.Builds).Start, (*builder).rebuild)
	if err != nil || len(told.failures) > 0 {
		t.Fatal(err, told.failures)
	}
	edit()
	w.becomes(t, c, "projects", 1)
	w.projectNames(t, c, 1)
	older.stop()
}

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
		<-reached
		b.stop()
		var builds int
		var seq int64
		if err := w.Engine.QueryRow(t.Context(), `select count(*), max(seq) from checkpoints
where tenant_id = $1 and subscription = 'projects' and generation > 1`, c.ID.UUID()).Scan(&builds, &seq); err != nil {
			t.Fatal(err)
		}
		if builds != 1 || seq <= last {
			t.Fatalf("%d builds, at %d after %d", builds, seq, last)
		}
		last = seq
		w.projectNames(t, c, 1)
	}
	w.start(t, projectsOf(2), 3, true)
	w.becomes(t, c, "projects", 2)
	w.projectNames(t, c, 2)
	w.dropped(t, c)
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
	build, err := startBuild(t.Context(), w.Engine, c.ID, "projects", 2)
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
		t.Errorf("%d failures counted, %d waiting, %+v", failures, waiting, b.delayed[n])
	}
	needs, err := feed.PendingBuilds(t.Context(), w.Engine, b.versions)
	if err != nil || len(needs) != 1 {
		t.Fatal(needs, err)
	}
	if err := build.Switch(t.Context(), 1000, newer.Apply); err != nil {
		t.Fatal(err)
	}
	build.Close()
	b.build(t.Context(), needs)
	if len(b.delayed) > 0 {
		t.Errorf("remembered of what another has done: %+v", b.delayed)
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
			t.Fatalf("%+v, %v", s, err)
		}
		return s
	}
	for attempts := 1; attempts <= 2; attempts++ {
		b.delayed = delays{} // it is due
		b.runPending(t.Context())
		failed := status().FailedBuilds
		if len(failed) != 1 || failed[0].Tenant != c.ID || failed[0].Generation != 2 || failed[0].FoldVersion != 2 || failed[0].Attempts != attempts ||
			failed[0].Seq >= failed[0].Head || failed[0].Head != c.Head() || failed[0].Since.IsZero() || !strings.HasSuffix(failed[0].Error, ": po\uFFFD\uFFFDison") {
			t.Errorf("after %d attempts: %+v", attempts, failed)
		}
		w.projectNames(t, c, 1)
	}
	// A failure after its last page is forgotten by the flip.
	build, err := startBuild(t.Context(), w.Engine, c.ID, "projects", 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Page(t.Context(), 1000, good.Apply); err != nil {
		t.Fatal(err)
	}
	build.Close()
	if failed := status().FailedBuilds; len(failed) > 0 {
		t.Errorf("after a page: %+v", failed)
	}
	if err := feed.NoteFailure(t.Context(), w.Engine, c.ID, "projects", 2, errors.New("too late")); err != nil {
		t.Fatal(err)
	}
	b = newBackground(BackgroundConfig{Engine: w.DB.Engine(t)}, []projections.ReadModel{good})
	b.runPending(t.Context())
	if failed := status().FailedBuilds; len(failed) > 0 {
		t.Errorf("when it is built: %+v", failed)
	}
	var troubled int
	if err := w.Engine.QueryRow(t.Context(), `select count(*) from checkpoints where failures > 0 or error is not null or failed_at is not null`).Scan(&troubled); err != nil || troubled > 0 {
		t.Errorf("%d failures are left, %v", troubled, err)
	}
	w.projectNames(t, c, 2)
}

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
		_, _, err := b.queries.Projects(t.Context(), long.Scope(t, ann), projections.ProjectFilter{}, projections.ProjectOrder{}, projections.Page{}, projections.Fresh{})
		var refused *domain.Error
		if !errors.As(err, &refused) || refused.Code != domain.CodeReadModelLagging {
			t.Fatalf("a half is answered: %v", err)
		}
	}
	lagging()
	<-reached
	lagging()
	young, cem := w.Found(t, "young")
	young.CreateProject(t, cem, "At once")
	for _, s := range []domain.Scope{young.Scope(t, cem)} {
		// Even with nothing folded yet, as ever.
		if _, _, err := b.queries.Projects(t.Context(), s, projections.ProjectFilter{}, projections.ProjectOrder{}, projections.Page{}, projections.Fresh{}); err != nil {
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
	for ; ; time.Sleep(lookPause) {
		items, _, err := b.queries.Projects(t.Context(), short.Scope(t, bea), projections.ProjectFilter{}, projections.ProjectOrder{}, projections.Page{}, projections.Fresh{Min: short.Head()})
		if err == nil && len(items) == 5 {
			break
		}
		if nearlyOver() {
			t.Fatalf("%d of the short log's projects, %v", len(items), err)
		}
	}
	lagging()
	goOn()
	w.becomes(t, long, "projects", 1)
	w.projectNames(t, long, 1)
	items, _, err := b.queries.Projects(t.Context(), long.Scope(t, ann), projections.ProjectFilter{}, projections.ProjectOrder{}, projections.Page{}, projections.Fresh{Min: long.Head()})
	if err != nil || len(items) != 6 {
		t.Errorf("%d projects of the long log, %v", len(items), err)
	}
	if g, _, _ := w.live(t, long, "projects"); g != 2 || folded.Load() > 0 {
		t.Errorf("the long log was handled by the feed: generation %d, %d pages", g, folded.Load())
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
				for ; ; time.Sleep(lookPause) {
					_, err := parking.Skip(t.Context(), c.ID, "projects", func(_ context.Context, p feed.Parked) (int64, error) {
						if p.Seq != poison {
							return 0, &feed.NotParkedError{}
						}
						return c.Head(), nil
					})
					if err == nil {
						break
					}
					if nearlyOver() {
						t.Fatal(err)
					}
				}
			}
			w.becomes(t, c, "projects", 1)
			if !builds {
				w.projectNames(t, c, 1)
			}
			for ; ; time.Sleep(lookPause) {
				_, _, err := b.queries.Projects(t.Context(), c.Scope(t, ann), projections.ProjectFilter{}, projections.ProjectOrder{}, projections.Page{}, projections.Fresh{})
				if err == nil {
					return
				}
				if nearlyOver() {
					t.Fatal(err)
				}
			}
		})
	}
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
