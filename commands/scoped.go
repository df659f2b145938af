package commands

import (
	"context"

	"docket/domain"

	"github.com/google/uuid"
)

// Admit gives a user the scope of a tenant from the membership's stream, or
// CodeTenantAccessDenied. fresh asks for the stream itself; without it a cached
// fold will do, whose version every read and append checks. A refusal is always
// made from the stream.
func (c *Commands) Admit(ctx context.Context, t domain.TenantID, u domain.UserID, fresh bool) (domain.Scope, error) {
	f, cached, err := read(ctx, c, memberships, t, u.UUID(), fresh)
	if err != nil {
		return domain.Scope{}, err
	}
	if m := f.state.(domain.Membership); cached && !m.Active {
		return c.Admit(ctx, t, u, true)
	}
	return domain.Admit(f.state.(domain.Membership))
}

// actorIn is who acts in a scope, from the membership that the attempt guards.
// No command is an operator's yet: their scopes are for reading.
func actorIn(ctx context.Context, a *attempt, s domain.Scope) (domain.Actor, error) {
	if s.Operator() {
		return domain.Actor{}, domain.TenantAccessDenied()
	}
	m, err := look(ctx, a, memberships, s.Tenant(), s.Actor().ID.UUID())
	if err != nil {
		return domain.Actor{}, err
	}
	now, err := domain.Admit(m)
	if err != nil {
		return domain.Actor{}, err
	}
	return now.Actor(), nil
}

// decision is what a command does to one aggregate.
type decision[S any] func(ctx context.Context, a *attempt, by domain.Actor, present S) ([]domain.Event, error)

// change carries out a command on one aggregate of the scope's tenant.
func change[S any](ctx context.Context, c *Commands, s domain.Scope, o Origin, k kind[S], id uuid.UUID, decide decision[S]) (Done[S], error) {
	return act(ctx, c, s, o, k, id, decide, func(ctx context.Context, a *attempt) (S, error) {
		return look(ctx, a, k, s.Tenant(), id)
	})
}

// create is change for an aggregate with an id made just now.
func create[S any](ctx context.Context, c *Commands, s domain.Scope, o Origin, k kind[S], id uuid.UUID, decide decision[S]) (Done[S], error) {
	return act(ctx, c, s, o, k, id, decide, func(_ context.Context, a *attempt) (S, error) {
		return begin(a, k, s.Tenant(), id), nil
	})
}

func act[S any](ctx context.Context, c *Commands, s domain.Scope, o Origin, k kind[S], id uuid.UUID, decide decision[S],
	target func(context.Context, *attempt) (S, error)) (Done[S], error) {
	t := s.Tenant()
	a, err := c.execute(ctx, o, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		by, err := actorIn(ctx, a, s)
		if err != nil {
			return by, err
		}
		present, err := target(ctx, a)
		if err != nil {
			return by, err
		}
		events, err := decide(ctx, a, by, present)
		if err != nil {
			return by, err
		}
		a.answer = streamKey{t, domain.StreamID{Type: k.stream, ID: id}}
		a.write(t, a.answer.stream, events)
		return by, nil
	})
	if err != nil {
		return Done[S]{}, err
	}
	return done(ctx, a, k)
}
