package commands

import (
	"context"

	"docket/domain"
)

// BeginEpoch records an epoch in a tenant's log, once; it reports whether this call did.
// Errors: those of every command.
func (c *Commands) BeginEpoch(ctx context.Context, t domain.TenantID, e domain.Epoch) (recorded bool, err error) {
	target := tenants.in(t, t.UUID())
	_, err = execute(ctx, c, Origin{}, target, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		state, err := load(ctx, a, target)
		if err != nil {
			return domain.Actor{}, err
		}
		events, err := domain.DecideTenant(state, domain.Actor{}, domain.BeginEpoch{Epoch: e.ID, Reason: e.Reason})
		if err != nil {
			return domain.Actor{}, err
		}
		recorded = len(events) > 0
		a.write(target.key, events)
		return domain.Actor{}, nil
	})
	return recorded && err == nil, err
}
