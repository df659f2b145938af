package projections

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// members is the read model of the memberships that haven't ended. Who may do
// what is never decided by it, but by the memberships' streams.
var members = define(model[uuid.UUID, domain.Membership]{
	Name: "members", FoldVersion: 1, Table: "members",
	Keys:    streamKeys(memberEvents),
	Creates: []string{"member.joined"},
	Ignores: slices.Concat(tenantEvents, userEvents, projectEvents, taskEvents, commentEvents, apiKeyEvents, subscriptionEvents),
	Fold:    byEvolve(domain.Membership.Evolve, func(m domain.Membership) bool { return m.Active }),
	Key:     "user_id", KeyOf: func(m *domain.Membership) uuid.UUID { return m.UserID.UUID() },
	Complete: func(m *domain.Membership, t domain.TenantID) { m.TenantID, m.Active = t, true },
	Columns: []column[domain.Membership]{
		id("user_id", func(m *domain.Membership) *domain.UserID { return &m.UserID }),
		text("email", func(m *domain.Membership) *string { return &m.Email }),
		text("name", func(m *domain.Membership) *string { return &m.Name }),
		text("role", func(m *domain.Membership) *domain.Role { return &m.Role }),
		instant("joined_at", func(m *domain.Membership) *time.Time { return &m.JoinedAt }),
		plain("user_version", "integer", func(m *domain.Membership) *int { return &m.UserVersion }),
		plain("version", "integer", func(m *domain.Membership) *int { return &m.Version }),
	},
})

// MemberFilter narrows a list of members. A nil member asks for nothing.
type MemberFilter struct {
	// Roles are those of which a member has one.
	Roles []domain.Role `json:"roles,omitzero"`
	// Prefix is how the name or the address begins, whatever the case.
	Prefix *string `json:"q,omitzero"`
}

func (f MemberFilter) fits(m *domain.Membership) bool {
	if !among(f.Roles, m.Role) {
		return false
	}
	if f.Prefix == nil {
		return true
	}
	begin := domain.Caseless(*f.Prefix)
	return strings.HasPrefix(domain.Caseless(m.Name), begin) || strings.HasPrefix(domain.Caseless(m.Email), begin)
}

// membersSQL lists the members of a tenant ($1) with one of some roles ($2, any if null)
// after a keyset ($3, $4), up to $5.
var membersSQL = `select ` + members.columns("m.") + ` from members m
where m.tenant_id = $1 and m.generation = ` + members.generation("$1") + `
  and ($2::text[] is null or m.role = any ($2::text[]))
  and (m.joined_at, m.user_id) > ($3::timestamptz, $4::uuid)
order by m.joined_at, m.user_id limit $5`

// Members lists the members by joined_at.
func (q *Queries) Members(ctx context.Context, s domain.Scope, filter MemberFilter, p Page, f Fresh) ([]domain.Membership, *Keyset, error) {
	if err := q.await(ctx, s, f, members.Name); err != nil {
		return nil, nil, err
	}
	read := func(p Page) ([]domain.Membership, *Keyset, error) {
		after := p.after(firstTime)
		return list(ctx, q, s, "members", p, members.scan(s.Tenant()), memberKey, nil, membersSQL,
			s.Tenant().UUID(), filter.Roles, after.Value, after.ID, p.limit()+1)
	}
	if filter.Prefix == nil {
		return read(p)
	}
	// The folding of a text is Go's, here and as of a seq: Postgres' depends on its
	// version and locale. A tenant has few enough members to be gone through.
	found, limit := []domain.Membership{}, p.limit()
	for through := (Page{Limit: MaxLimit, After: p.After}); ; {
		items, next, err := read(through)
		if err != nil {
			return nil, nil, err
		}
		for _, m := range items {
			if filter.fits(&m) {
				found = append(found, m)
			}
		}
		if next == nil || len(found) > limit {
			page, after := paged(found, limit, memberKey)
			return page, after, nil
		}
		through.After = next
	}
}

func memberKey(m domain.Membership) Keyset {
	return Keyset{Value: timeKey(m.JoinedAt), ID: m.UserID.UUID()}
}

// UserTenant is a tenant that a user is a member of, and as what.
type UserTenant struct {
	Tenant   domain.Tenant
	Role     domain.Role
	JoinedAt time.Time
}

// userSQL limits what the api role sees to the memberships of one user ($1), and
// those tenants, until the end of the batch.
const userSQL = `select set_config('docket.user', $1, true)`

// userTenantsSQL lists the tenants of a user ($1) after a keyset ($2, $3), up to $4.
// Each tenant has generations of its own.
var userTenantsSQL = `select t.tenant_id, m.role, m.joined_at, ` + tenants.columns("t.") + `
from members m join tenants t on t.tenant_id = m.tenant_id and t.id = m.tenant_id
where m.user_id = $1 and (m.joined_at, m.tenant_id) > ($2::timestamptz, $3::uuid)
  and m.generation = ` + members.generation("m.tenant_id") + `
  and t.generation = ` + tenants.generation("m.tenant_id") + `
order by m.joined_at, m.tenant_id limit $4`

// Memberships lists the tenants that a user is a member of, in the order of
// joining. The user is who the caller is, proved by a session: there is no tenant
// whose Scope could be asked for. fresh is the last seq that was acknowledged to
// the user in each tenant; all are waited for together, up to 250 ms.
//
// A tenant in which one of the two read models is only a half as yet is left out, as all
// else of it is refused: its row may be of a membership that has ended since. It keeps no
// other tenant from being listed, and a page may be short without being the last.
func (q *Queries) Memberships(ctx context.Context, u domain.UserID, p Page, fresh map[domain.TenantID]int64) ([]UserTenant, *Keyset, error) {
	q.awaitAll(ctx, fresh, members.Name, tenants.Name)
	b := &pgx.Batch{}
	b.Queue(userSQL, u.String())
	after := p.after(firstTime)
	var items []UserTenant
	b.Queue(userTenantsSQL, u.UUID(), after.Value, after.ID, p.limit()+1).Query(into(&items, scanUserTenant))
	if err := eventstore.Unreachable(q.api.SendBatch(ctx, b).Close()); err != nil {
		return nil, nil, fmt.Errorf("list memberships: %w", err)
	}
	items, next := paged(items, p.limit(), func(t UserTenant) Keyset {
		return Keyset{Value: timeKey(t.JoinedAt), ID: t.Tenant.ID.UUID()}
	})
	if q.positions == nil {
		return items, next, nil
	}
	kept := items[:0]
	for _, item := range items {
		whole, err := q.positions.BuildComplete(ctx, item.Tenant.ID, members.Name, tenants.Name)
		if err != nil {
			return nil, nil, fmt.Errorf("list memberships: %w", err)
		}
		if whole {
			kept = append(kept, item)
		}
	}
	return kept, next, nil
}

func (q *Queries) awaitAll(ctx context.Context, fresh map[domain.TenantID]int64, models ...string) {
	ctx, cancel := context.WithTimeout(ctx, q.OwnWait)
	defer cancel()
	for t, seq := range fresh {
		if seq > 0 && !q.positions.Await(ctx, t, seq, models...) {
			return
		}
	}
}

func scanUserTenant(row pgx.CollectableRow) (UserTenant, error) {
	var (
		u  UserTenant
		id uuid.UUID
	)
	targets := []any{&id, textTarget[domain.Role]{&u.Role}, instantTarget{&u.JoinedAt}}
	for _, c := range tenants.Columns {
		targets = append(targets, c.target(&u.Tenant))
	}
	err := row.Scan(targets...)
	return u, err
}
