package feed

import (
	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// Checkpoints is what queries of other packages ask of the tables generations,
// checkpoints and skips, whose SQL stands here alone. The rows of a read model have a
// generation; a tenant reads the one that the table generations names, or 1.
type Checkpoints struct{}

// Generation is the expression for the generation of a subscription's rows that a tenant
// reads. tenant is an expression for its id.
func (Checkpoints) Generation(subscription, tenant string) string {
	return `(select coalesce(max(g.current), 1) from generations g where g.tenant_id = ` + tenant + ` and g.subscription = '` + subscription + `')`
}

// NotSkipped is the condition that a seq isn't one of those that an operator had a
// subscription skip in a tenant. The arguments are expressions.
func (Checkpoints) NotSkipped(seq, tenant, subscription string) string {
	return seq + ` <> all (array(select k.seq from skips k where k.tenant_id = ` + tenant + ` and k.subscription = ` + subscription + `))`
}

// positionsSQL reads how far the live checkpoints of a tenant ($1) have come.
const positionsSQL = `select c.subscription, c.seq from checkpoints c
left join generations g on g.tenant_id = c.tenant_id and g.subscription = c.subscription
where c.tenant_id = $1 and c.generation = coalesce(g.current, 1)`

// Positions queues the query for the seq that each subscription has reached in a tenant.
// to is a new map once the batch was sent.
func (Checkpoints) Positions(b *pgx.Batch, t domain.TenantID, to *map[string]int64) {
	b.Queue(positionsSQL, t.UUID()).Query(func(rows pgx.Rows) error {
		*to = map[string]int64{}
		var (
			subscription string
			seq          int64
		)
		_, err := pgx.ForEachRow(rows, []any{&subscription, &seq}, func() error {
			(*to)[subscription] = seq
			return nil
		})
		return err
	})
}
