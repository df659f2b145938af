package projections

import (
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// recentEvents are those that a read model may not have taken in yet although
// it has been made.
const recentEvents = time.Minute

// madeSQL says whether a read model ($2) of a tenant ($1) has been made. One that
// is new to an old log reads it from the beginning, and until it is near the end
// its rows are halves. Then its next event happened longer ago than some seconds
// ($3), and the projects, which every log has had, have taken it in. A read model
// that merely lags as they all do, or by a moment, has been made.
const madeSQL = `select not exists (select from events e
where e.tenant_id = $1
  and e.seq = 1 + coalesce((select c.seq from checkpoints c where c.tenant_id = $1 and c.subscription = $2 and c.generation =
    (select coalesce(max(g.current), 1) from generations g where g.tenant_id = $1 and g.subscription = $2)), 0)
  and e.seq <= (select c.seq from checkpoints c where c.tenant_id = $1 and c.subscription = 'projects' and c.generation = ` + projectsGeneration + `)
  and e.occurred_at < now() - make_interval(secs => $3::float8))`

// made queues the question whether a read model has been made.
func (q *Queries) made(b *pgx.Batch, t domain.TenantID, model string, answer *bool) {
	b.Queue(madeSQL, t.UUID(), model, q.recent.Seconds()).QueryRow(func(row pgx.Row) error { return row.Scan(answer) })
}

// beingMade is the refusal of a read whose read model isn't made yet.
func beingMade() error {
	return domain.Refuse(domain.CodeReadModelLagging, "this read model is still being made from the log")
}
