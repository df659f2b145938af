package projections

import (
	"context"
	"os"
	"testing"

	"docket/eventstore/feed"
	"docket/internal/pgtest"
	"docket/internal/tenanttest"

	"github.com/ThreeDotsLabs/watermill/message"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

// world is an Env with queries.
type world struct {
	*tenanttest.Env
	queries *Queries
}

func newWorld(t testing.TB) *world {
	t.Helper()
	e := tenanttest.New(t)
	return &world{e, NewQueries(e.API, e.Positions)}
}

// Run runs subscriptions until stop, at the latest until the test ends.
func (w *world) Run(t testing.TB, pageSize int, handlers map[string]message.NoPublishHandlerFunc) (stop func()) {
	t.Helper()
	return w.Env.Run(t, pageSize, handlers, Interests(), nil)
}

// RunAll runs the subscriptions of all read models, which share pages as in the program.
func (w *world) RunAll(t testing.TB, pageSize int) (stop func()) {
	t.Helper()
	handlers := Subscriptions()
	group, handler := Group()
	handlers[group] = handler
	return w.Env.Run(t, pageSize, handlers, Interests(), map[string][]string{group: Models()})
}

// Caught waits until read models, or all of them, have reached the head of a tenant's log.
func (w *world) Caught(t tenanttest.TB, c *tenanttest.Tenant, models ...string) {
	t.Helper()
	if len(models) == 0 {
		models = Models()
	}
	w.Await(t, c, models...)
}

// switchAll builds the next generation of all read models of a tenant and switches to it, as a rebuild
// does.
func (w *world) switchAll(t *testing.T, c *tenanttest.Tenant) {
	t.Helper()
	builds, err := feed.OpenBuilds(t.Context(), w.Engine, c.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	defer builds.Close()
	for _, m := range ReadModels() {
		build, err := builds.Start(t.Context(), m.Name, m.FoldVersion)
		if err != nil {
			t.Fatal(err)
		}
		if err := build.Switch(t.Context(), int(c.Head()), m.Apply); err != nil {
			t.Fatal(err)
		}
		if err := builds.DropOld(t.Context(), m.Name, func(ctx context.Context, live int) error {
			_, err := w.Engine.Exec(ctx, `delete from `+m.Table+` where tenant_id = $1 and generation < $2`, c.ID.UUID(), live)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}
