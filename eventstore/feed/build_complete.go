package feed

import (
	"context"

	"docket/domain"
	"docket/eventstore"

	"github.com/jackc/pgx/v5"
)

// incompleteSQL names those of some subscriptions ($2) whose rows aren't complete in a tenant
// ($1): the log is older than the subscription, which hasn't reached its end yet, or the
// rows have events that the log lost (ahead.go).
const incompleteSQL = `select s.name from unnest($2::text[]) as s (name)
left join lateral (select c.complete, c.fold_version from checkpoints c where c.tenant_id = $1 and c.subscription = s.name
    and c.generation = coalesce((select g.current from generations g where g.tenant_id = $1 and g.subscription = s.name), 1)) live on true
where live.fold_version < 0
  or not coalesce(live.complete, false) and (select b.since from subscriptions b where b.name = s.name)
    > (select e.occurred_at from events e where e.tenant_id = $1 and e.seq = 1)`

// BuildComplete reports whether each subscription has once folded the tenant's log to its
// end. Before that the rows of an old log are only its beginning. Once complete they stay
// complete, so the answer is kept and each tenant is asked about once. Errors are the
// database's.
func (p *Positions) BuildComplete(ctx context.Context, t domain.TenantID, subscriptions ...string) (bool, error) {
	forgets := p.forgets()
	var ask []string
	for _, s := range subscriptions {
		if !p.complete.Contains(place{t, s}) {
			ask = append(ask, s)
		}
	}
	if len(ask) == 0 {
		return true, nil
	}
	incomplete := map[string]bool{}
	b := &pgx.Batch{}
	b.Queue(eventstore.ScopeSQL, t.String())
	b.Queue(incompleteSQL, t.UUID(), ask).Query(func(rows pgx.Rows) error {
		var name string
		_, err := pgx.ForEachRow(rows, []any{&name}, func() error {
			incomplete[name] = true
			return nil
		})
		return err
	})
	if err := p.pool.SendBatch(ctx, b).Close(); err != nil {
		return false, eventstore.Unreachable(err)
	}
	for _, s := range ask {
		if !incomplete[s] {
			p.completed(place{t, s}, forgets)
		}
	}
	return len(incomplete) == 0, nil
}
