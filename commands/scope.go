package commands

import (
	"context"

	"docket/domain"
)

// Admit returns a user's scope of a tenant, made from the membership's stream, or
// CodeTenantAccessDenied. Unless fresh is set, the membership may come from the
// cache: every read and append checks its version. A refusal never does.
func (c *Commands) Admit(ctx context.Context, t domain.TenantID, u domain.UserID, fresh bool) (domain.Scope, error) {
	f, cached, err := read(ctx, c, memberships.in(t, u.UUID()), fresh)
	if err != nil {
		return domain.Scope{}, err
	}
	m := f.state.(domain.Membership)
	if cached && !m.Active {
		return c.Admit(ctx, t, u, true)
	}
	return domain.Admit(m)
}

// loadActor is the actor of a scope, from the membership or service account,
// which the append guards. An operator's scope is refused: it is for reading.
func loadActor(ctx context.Context, a *attempt, s domain.Scope) (domain.Actor, error) {
	if s.Operator() {
		return domain.Actor{}, domain.TenantAccessDenied()
	}
	if s.Actor().Service {
		k, err := load(ctx, a, apiKeys.in(s.Tenant(), s.Actor().ID.UUID()))
		if err != nil {
			return domain.Actor{}, err
		}
		now, err := domain.AdmitService(k)
		return now.Actor(), err
	}
	m, err := load(ctx, a, memberships.in(s.Tenant(), s.Actor().ID.UUID()))
	if err != nil {
		return domain.Actor{}, err
	}
	now, err := domain.Admit(m)
	if err != nil {
		return domain.Actor{}, err
	}
	return now.Actor(), nil
}
