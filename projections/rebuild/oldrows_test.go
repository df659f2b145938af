package rebuild

import (
	"context"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/tenanttest"
	"docket/projections"
)

// Old rows of several generations, in more than two chunks, go; those of the others stay.
func TestDropInChunks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	breaths := 0
	in := &Rebuilder{pause: func(context.Context, time.Duration) bool { breaths++; return true }}
	one, other := tenanttest.NewID[domain.TenantID](t), tenanttest.NewID[domain.TenantID](t)
	for m, fill := range map[*projections.ReadModel]string{
		new(modelOf(t, "activity")): `insert into activity (tenant_id, generation, seq, action, entity_type)
select t, 1 + i % 4, i, 'task.created', 'task' from unnest($1::uuid[]) t, generate_series(1, $2::int) i`,
		new(modelOf(t, "search")): `insert into search (tenant_id, generation, id, seq, document)
select t, 1 + i % 4, gen_random_uuid(), i, '' from unnest($1::uuid[]) t, generate_series(1, $2::int) i`,
	} {
		const rows = 6 * dropChunk // three chunks of two generations
		if _, err := w.Engine.Exec(t.Context(), fill, []domain.TenantID{one, other}, rows); err != nil {
			t.Fatal(err)
		}
		before := rows
		for _, step := range []struct {
			of   generations
			left int
		}{{generations{0, 1}, rows}, {generations{0, 3}, rows / 2}, {generations{2, 4}, rows / 4}, {generations{2, 5}, 0}} {
			if err := w.rebuild.drop(context.Background(), one, *m, step.of, in.newLimiter()); err != nil {
				t.Fatal(err)
			}
			var left, others int
			if err := w.Engine.QueryRow(t.Context(), `select count(*) filter (where tenant_id = $1), count(*) filter (where tenant_id = $2) from `+m.Table,
				one.UUID(), other.UUID()).Scan(&left, &others); err != nil {
				t.Fatal(err)
			}
			if left != step.left || others != rows {
				t.Errorf("%s %v: %d rows are left, and %d of the other tenant's", m.Name, step.of, left, others)
			}
			if chunks := (before - left + dropChunk) / dropChunk; breaths < chunks {
				t.Errorf("%s %v: %d chunks, and %d breaths between them", m.Name, step.of, chunks, breaths)
			}
			before, breaths = left, 0
		}
	}
}
