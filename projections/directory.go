package projections

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Listed is a tenant as an operator sees it.
type Listed struct {
	// Tenant is folded from its stream and never behind. Of a tenant that a newer
	// version of Docket has changed it is the state before that change.
	Tenant domain.Tenant
	// Head is the last seq of the tenant's log, and so the number of its events.
	Head int64
}

// slugsSQL lists who holds a kind ($2) of the platform's ($1) claims after a value
// ($3), up to $4.
const slugsSQL = `select holder, value from claims where tenant_id = $1 and kind = $2 and value > $3
order by value limit $4`

// slugsFromSQL lists the values of a kind ($2) of the platform's ($1) claims that
// begin with something ($3), up to $4.
const slugsFromSQL = `select value from claims where tenant_id = $1 and kind = $2 and value >= $3
and starts_with(value, $3) order by value limit $4`

// tenantStreamSQL reads the stream of a tenant ($1) itself, which has the tenant's id.
const tenantStreamSQL = `select ` + eventstore.Columns + ` from events
where tenant_id = $1 and stream_id = $1 order by version`

// Tenants lists all tenants by slug, after one, up to limit (DefaultLimit if 0).
// more says whether there are others after the last. The scope is an operator's of
// the platform, else the error is domain.CodeTenantAccessDenied. Which slugs
// there are and what a tenant is comes from the log, so there is nothing to wait for.
func (q *Queries) Tenants(ctx context.Context, s domain.Scope, after string, limit int) (tenants []Listed, more bool, err error) {
	var ids []domain.TenantID
	err = q.ofPlatform(ctx, s, func(b *pgx.Batch) {
		b.Queue(slugsSQL, s.Tenant().UUID(), string(eventstore.ClaimSlug), after, limited(limit)+1).Query(func(rows pgx.Rows) error {
			var (
				id   uuid.UUID
				slug string
			)
			_, err := pgx.ForEachRow(rows, []any{&id, &slug}, func() error {
				ids = append(ids, domain.TenantID(id))
				return nil
			})
			return err
		})
	})
	if err != nil {
		return nil, false, fmt.Errorf("list tenants: %w", err)
	}
	if ids, more = cut(ids, limit); len(ids) == 0 {
		return nil, false, nil
	}
	tenants, err = q.listed(ctx, ids)
	return tenants, more, err
}

// Slugs lists slugs that begin with something, up to limit (DefaultLimit if 0),
// for one who is typing. The scope is as in Tenants.
func (q *Queries) Slugs(ctx context.Context, s domain.Scope, start string, limit int) ([]string, error) {
	var slugs []string
	err := q.ofPlatform(ctx, s, func(b *pgx.Batch) {
		b.Queue(slugsFromSQL, s.Tenant().UUID(), string(eventstore.ClaimSlug), start, limited(limit)).
			Query(into(&slugs, pgx.RowTo[string]))
	})
	if err != nil {
		return nil, fmt.Errorf("list slugs: %w", err)
	}
	return slugs, nil
}

// Listed is one tenant as in Tenants; its scope is an operator's. A tenant that
// isn't there is domain.CodeNotFound.
func (q *Queries) Listed(ctx context.Context, s domain.Scope) (Listed, error) {
	if !s.Operator() {
		return Listed{}, domain.TenantAccessDenied()
	}
	one, err := q.listed(ctx, []domain.TenantID{s.Tenant()})
	if err != nil {
		return Listed{}, err
	}
	if one[0].Tenant.Version == 0 {
		return Listed{}, domain.NotFound("tenant")
	}
	return one[0], nil
}

// ofPlatform is scoped for what only an operator may ask, of the platform's log.
func (q *Queries) ofPlatform(ctx context.Context, s domain.Scope, queue func(*pgx.Batch)) error {
	if !s.Operator() || s.Tenant() != domain.Platform {
		return domain.TenantAccessDenied()
	}
	return q.scoped(ctx, s, queue)
}

// listed reads tenants in one round trip, in which the role that reads sees one
// after the other, never two at once.
func (q *Queries) listed(ctx context.Context, ids []domain.TenantID) ([]Listed, error) {
	out := make([]Listed, len(ids))
	b := &pgx.Batch{}
	for i, id := range ids {
		b.Queue(eventstore.ScopeSQL, id.String())
		b.Queue(tenantStreamSQL, id.UUID()).Query(func(rows pgx.Rows) error { return foldTenant(&out[i].Tenant, rows) })
		b.Queue(eventstore.HeadSQL, id.UUID()).QueryRow(func(row pgx.Row) error { return row.Scan(&out[i].Head) })
	}
	if err := eventstore.Unreachable(q.api.SendBatch(ctx, b).Close()); err != nil {
		return nil, fmt.Errorf("read tenants: %w", err)
	}
	return out, nil
}

func foldTenant(t *domain.Tenant, rows pgx.Rows) error {
	for rows.Next() {
		e, err := eventstore.Scan(rows)
		if err == nil {
			*t, err = t.Evolve(e)
		}
		if errors.Is(err, domain.ErrUnknownEvent) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return rows.Err()
}
