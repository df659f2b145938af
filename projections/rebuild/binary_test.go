package rebuild

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"docket/eventstore/feed"
	"docket/internal/postgres"
	"docket/internal/tenanttest"
	"docket/projections"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/jackc/pgx/v5"
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

// becomes waits until the generation that is read is of a fold version and at the log's end.
func (w *world) becomes(t tenanttest.TB, c *tenanttest.Tenant, model string, version int) {
	t.Helper()
	tenanttest.Eventually(t, fmt.Sprintf("the live generation of %s isn't of fold %d and at the head", model, version), func() (bool, any) {
		g, v, seq := w.live(t, c, model)
		return v == version && seq == c.Head(), fmt.Sprintf("generation %d of fold %d at %d of %d", g, v, seq, c.Head())
	})
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
	tenanttest.Eventually(t, "not only one generation has rows", func() (bool, any) {
		var generations int
		if err := w.Engine.QueryRow(context.Background(), `select count(distinct generation) from projects where tenant_id = $1`,
			c.ID.UUID()).Scan(&generations); err != nil {
			t.Fatal(err)
		}
		return generations == 1, fmt.Sprintf("%d generations have rows", generations)
	})
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
