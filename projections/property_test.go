package projections_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
	"docket/projections"
	"docket/projections/rebuild"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"
)

// world is a World for the tests that use package rebuild.
type world struct{ *projections.World }

func newWorld(t testing.TB) world { return world{projections.NewWorld(t)} }

// Live, rebuilt, folded in memory, and folded in any other split into pages:
// the same rows, for random histories of several tenants at once.
func TestAnyWayOfFoldingGivesTheSameRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Run(t, 4, projections.Subscriptions())
	rapid.Check(t, func(t *rapid.T) {
		var companies []*tenanttest.Tenant
		for i := range rapid.IntRange(1, 3).Draw(t, "tenants") {
			c, _ := w.Found(t, fmt.Sprintf("c%d", i))
			companies = append(companies, c)
		}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			companies[rapid.IntRange(0, len(companies)-1).Draw(t, "tenant")].ChangeAnything(t)
		}
		for _, c := range companies {
			w.Caught(t, c)
			live := w.dump(t, c)
			projections.InMemory(t, w.Env, c)

			w.split(t, c, splitGeneration)
			equal(t, "split otherwise", w.dumpOf(t, c, splitGeneration), live)

			before := w.answers(t, c)
			r := rebuild.New(w.Engine)
			r.FullSpeed = true
			r.PageSize = rapid.IntRange(1, 12).Draw(t, "pages of the rebuild")
			if err := r.Rebuild(context.Background(), []domain.TenantID{c.ID}, nil, nil); err != nil {
				t.Fatal(err)
			}
			equal(t, "rebuilt", w.dump(t, c), live)
			equal(t, "answers after the rebuild", w.answers(t, c), before)
		}
	})
}

func equal(t tenanttest.TB, what, got, want string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s: -want +got:\n%s", what, d)
	}
}

// splitGeneration is one that no checkpoint stands for.
const splitGeneration = 1000

// split folds the company's log into a generation, in random pages.
func (w world) split(t *rapid.T, c *tenanttest.Tenant, generation int) {
	t.Helper()
	for _, m := range projections.ReadModels() {
		for rest := c.Log; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "page of "+m.Name)
			err := pgx.BeginFunc(context.Background(), w.Engine, func(tx pgx.Tx) error {
				p := &feed.Page{Subscription: m.Name, Tenant: c.ID, Generation: generation, Events: rest[:n], Tx: tx}
				return errors.Join(m.Apply(context.Background(), p), p.Flush(context.Background()))
			})
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
	}
}

// dump is all rows that a tenant reads, as text, but for the generation.
func (w world) dump(t tenanttest.TB, c *tenanttest.Tenant) string {
	t.Helper()
	var b strings.Builder
	for _, m := range projections.ReadModels() {
		b.WriteString(w.Rows(t, c, m.Table, w.Generation(t, c, m.Name)))
	}
	return b.String()
}

// dumpOf is dump of one generation of all models.
func (w world) dumpOf(t tenanttest.TB, c *tenanttest.Tenant, generation int) string {
	t.Helper()
	var b strings.Builder
	for _, m := range projections.ReadModels() {
		b.WriteString(w.Rows(t, c, m.Table, generation))
	}
	return b.String()
}

// answers is what the queries answer, all pages of all lists.
func (w world) answers(t tenanttest.TB, c *tenanttest.Tenant) string {
	t.Helper()
	var b strings.Builder
	say := func(v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	ctx, s := context.Background(), domain.Operate(c.ID)
	for _, order := range []projections.Order{{projections.ByCreated, false}, {projections.ByCreated, true}, {projections.ByUpdated, false}, {projections.ByUpdated, true}, {projections.ByName, false}, {projections.ByName, true}} {
		for p := (projections.Page{Limit: 3}); ; {
			items, next, err := w.Queries().Projects(ctx, s, projections.ProjectFilter{}, order, p, projections.Fresh{})
			say(items, err)
			if next == nil {
				break
			}
			p.After = next
		}
	}
	for p := (projections.Page{Limit: 3}); ; {
		items, next, err := w.Queries().Tasks(ctx, s, projections.TaskFilter{}, projections.Order{}, p, projections.Fresh{})
		say(items, err)
		if next == nil {
			break
		}
		p.After = next
	}
	for _, text := range []string{"web", "zoë or x", "a -b", `"x 🎄"`} {
		for p := (projections.Page{Limit: 3}); ; {
			items, next, err := w.Queries().Tasks(ctx, s, projections.TaskFilter{Query: &text}, projections.Order{}, p, projections.Fresh{})
			say(items, err)
			if next == nil {
				break
			}
			p.After = next
		}
		items, _, err := w.Queries().Projects(ctx, s, projections.ProjectFilter{Query: &text}, projections.Order{}, projections.Page{}, projections.Fresh{})
		say(items, err)
	}
	for _, id := range c.TaskIDs {
		if k := c.Tasks[id]; !k.Exists(c.Projects[k.ProjectID]) {
			continue
		}
		said, _, err := w.Queries().Comments(ctx, s, id, projections.Page{}, projections.Fresh{})
		say(said, err)
	}
	for _, id := range c.ProjectIDs {
		if !c.Projects[id].Exists() {
			continue
		}
		sum, err := w.Queries().ProjectSummary(ctx, s, id, projections.Fresh{})
		// What goes on while it is read.
		sum.Spent[sum.Status] -= sum.Now.Sub(sum.Since)
		sum.Now = time.Time{}
		say(sum, err)
	}
	cycled, _, err := w.Queries().CycleTimes(ctx, s, projections.Weeks{First: projections.Monday(c.Log[0].At), Count: 2}, nil, projections.Page{Limit: projections.MaxLimit}, projections.Fresh{})
	say(cycled, err)
	stats, err := w.Queries().Stats(ctx, s, projections.Fresh{})
	say(stats, err)
	items, _, err := w.Queries().Members(ctx, s, projections.MemberFilter{}, projections.Page{}, projections.Fresh{})
	say(items, err)
	tenant, err := w.Queries().Tenant(ctx, s, projections.Fresh{})
	say(tenant, err)
	told, _, err := w.Queries().Activity(ctx, s, projections.ActivityFilter{}, projections.MaxLimit, projections.Fresh{})
	say(told, err)
	return b.String()
}
