package rebuild

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/pgtest"
	"docket/internal/tenanttest"
	"docket/projections"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// world is an Env with queries and a Rebuilder.
type world struct {
	*tenanttest.Env
	queries *projections.Queries
	rebuild *Rebuilder
}

func newWorld(t testing.TB) *world {
	t.Helper()
	e := tenanttest.New(t)
	w := &world{e, projections.NewQueries(e.API, e.Positions), New(e.Engine)}
	w.rebuild.FullSpeed = true
	return w
}

// Run runs subscriptions until stop, at the latest until the test ends.
func (w *world) Run(t testing.TB, pageSize int, handlers map[string]message.NoPublishHandlerFunc) (stop func()) {
	t.Helper()
	return w.Env.Run(t, pageSize, handlers, projections.Interests(), nil)
}

// RunAll runs the subscriptions of all read models, which share pages as in the program.
func (w *world) RunAll(t testing.TB, pageSize int) (stop func()) {
	t.Helper()
	handlers := projections.Subscriptions()
	group, handler := projections.Group()
	handlers[group] = handler
	return w.Env.Run(t, pageSize, handlers, projections.Interests(), map[string][]string{group: projections.Models()})
}

// Caught waits until read models, or all of them, have reached the head of a tenant's log.
func (w *world) Caught(t tenanttest.TB, c *tenanttest.Tenant, models ...string) {
	t.Helper()
	if len(models) == 0 {
		models = projections.Models()
	}
	w.Await(t, c, models...)
}

// reaches waits until read models are at a seq before the head of a tenant's log.
func (w *world) reaches(t tenanttest.TB, c *tenanttest.Tenant, seq int64, models ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), tenanttest.MaxWait)
	defer cancel()
	if !w.Positions.Await(ctx, c.ID, seq, models...) {
		t.Fatalf("after %s not all of %v are at event %d of %d", tenanttest.MaxWait, models, seq, c.Head())
	}
}

// modelOf is the read model of a name.
func modelOf(t tenanttest.TB, name string) projections.ReadModel {
	t.Helper()
	chosen, err := chooseModels([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return chosen[0]
}

// dump is all rows that a tenant reads, as text, but for the generation.
func (w *world) dump(t tenanttest.TB, c *tenanttest.Tenant) string {
	t.Helper()
	var b strings.Builder
	for _, m := range projections.ReadModels() {
		b.WriteString(w.Rows(t, c, m.Table, w.Generation(t, c, m.Name)))
	}
	return b.String()
}

func equal(t tenanttest.TB, what, got, want string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s: -want +got:\n%s", what, d)
	}
}

// isFoldOfLog fails unless the rows of a read model that a tenant reads are those of its
// whole log, folded in one page.
func (w *world) isFoldOfLog(t tenanttest.TB, c *tenanttest.Tenant, model string) {
	t.Helper()
	m, ctx := modelOf(t, model), context.Background()
	tx, err := w.Engine.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	const unused = 1_000_000 // a generation without a checkpoint
	p := &feed.Page{Subscription: m.Name, Tenant: c.ID, Generation: unused, Events: c.Log, Tx: tx}
	if err := errors.Join(m.Apply(ctx, p), p.Flush(ctx)); err != nil {
		t.Fatal(err)
	}
	live := w.Generation(t, c, m.Name)
	var got, want string
	if err := tx.QueryRow(ctx, `select coalesce(string_agg(x.row, E'\n' order by x.row) filter (where x.generation = $2), ''),
  coalesce(string_agg(x.row, E'\n' order by x.row) filter (where x.generation = $3), '')
from (select generation, (to_jsonb(r) - 'generation')::text as row from `+m.Table+` r where tenant_id = $1) x`,
		c.ID.UUID(), live, unused).Scan(&got, &want); err != nil {
		t.Fatal(err)
	}
	equal(t, model+", live and folded in one page", got, want)
}

// applying is the read model projects with another Apply.
func applying(apply func(context.Context, *feed.Page, projections.ReadModel) error) projections.ReadModel {
	chosen, err := chooseModels([]string{"projects"})
	if err != nil {
		panic(err)
	}
	m := chosen[0]
	m.Apply = func(ctx context.Context, p *feed.Page) error { return apply(ctx, p, chosen[0]) }
	return m
}

// poisonedProjects is the read model projects with a fold that fails at an event.
func poisonedProjects(c *tenanttest.Tenant, seq int64) projections.ReadModel {
	return applying(func(ctx context.Context, p *feed.Page, projects projections.ReadModel) error {
		for _, e := range p.Events {
			if e.Tenant == c.ID && e.Seq == seq {
				return errors.New("poison")
			}
		}
		return projects.Apply(ctx, p)
	})
}

// renaming is the read model projects with a fold that gives each row that it writes
// another name, an SQL expression.
func renaming(name string) projections.ReadModel {
	return applying(func(ctx context.Context, p *feed.Page, projects projections.ReadModel) error {
		if err := projects.Apply(ctx, p); err != nil {
			return err
		}
		var touched []uuid.UUID
		for _, e := range p.Events {
			if e.Stream.Type == domain.ProjectStream {
				touched = append(touched, e.Stream.ID)
			}
		}
		p.Queue(`update projects set name = `+name+` where tenant_id = $1 and generation = $2 and id = any ($3)`,
			p.Tenant.UUID(), p.Generation, touched)
		return nil
	})
}
