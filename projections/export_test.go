package projections

import (
	"context"
	"slices"

	"docket/domain"
	"docket/internal/tenanttest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// World is the fixture of the tests that use package rebuild too.
type World = world

// NewWorld makes a World.
var NewWorld = newWorld

// Queries are those of the world.
func (w *world) Queries() *Queries { return w.queries }

// InMemory compares the rows of all read models that a tenant reads with the fold of its
// log in memory.
func InMemory(t tenanttest.TB, e *tenanttest.Env, c *tenanttest.Tenant) {
	t.Helper()
	inMemory(t, e, tenants, c)
	inMemory(t, e, members, c)
	inMemory(t, e, projects, c)
	inMemory(t, e, tasks, c)
	inMemory(t, e, comments, c)
	inMemory(t, e, search, c)
	inMemory(t, e, summaries, c)
	inMemory(t, e, cycles, c)
	inMemory(t, e, activity, c)
}

// foldEvents is the fold of events in memory, and nothing before them.
func foldEvents[K comparable, R any](m *model[K, R], events []domain.Recorded) (*work[K, R], error) {
	w, err := m.plan(events)
	if err == nil {
		err = m.foldAll(w, events)
	}
	return w, err
}

// inMemory compares the rows that a tenant reads with the fold of its log in memory.
func inMemory[K comparable, R any](t tenanttest.TB, e *tenanttest.Env, m *model[K, R], c *tenanttest.Tenant) {
	t.Helper()
	memory, err := foldEvents(m, c.Log)
	if err != nil {
		t.Fatal(err)
	}
	want := map[K]R{}
	wantSeq := map[K]int64{}
	for _, at := range memory.rows {
		if at.row != nil {
			want[at.key], wantSeq[at.key] = *at.row, at.seq
		}
	}
	rows, err := e.Engine.Query(context.Background(), `select seq, `+m.columns("")+` from `+m.Table+` where tenant_id = $1 and generation = $2`,
		c.ID.UUID(), e.Generation(t, c, m.Name))
	if err != nil {
		t.Fatal(err)
	}
	got := map[K]R{}
	gotSeq := map[K]int64{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (struct{}, error) {
		var (
			r   R
			seq int64
		)
		targets := []any{&seq}
		for _, col := range m.Columns {
			targets = append(targets, col.target(&r))
		}
		err := row.Scan(targets...)
		if m.Complete != nil {
			m.Complete(&r, c.ID)
		}
		if a, ok := any(&r).(*logged); ok {
			a.Seq = seq
		}
		got[m.KeyOf(&r)], gotSeq[m.KeyOf(&r)] = r, seq
		return struct{}{}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s in memory and live: -memory +live:\n%s", m.Name, d)
	}
	if d := cmp.Diff(wantSeq, gotSeq); d != "" {
		t.Fatalf("%s: seqs in memory and live: -memory +live:\n%s", m.Name, d)
	}
	for _, e := range c.Log {
		if !slices.Contains(m.Creates, e.Event.EventType()) {
			continue
		}
		anew, err := m.Fold(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range got {
			if over, err := m.Fold(&row, e); err != nil || cmp.Diff(anew, over) != "" {
				t.Fatalf("%s: %s doesn't create a row: %v -anew +over another:\n%s", m.Name, e.Event.EventType(), err, cmp.Diff(anew, over))
			}
		}
	}
}
