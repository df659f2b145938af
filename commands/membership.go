package commands

import (
	"context"
	"slices"

	"docket/domain"
	"docket/eventstore"
)

// ownersAsked is how many other owners are looked at to find one who stays.
const ownersAsked = 5

// AddMember makes a registered user a member. An address that no user has is
// CodeValidationFailed at /email.
func (c *Commands) AddMember(ctx context.Context, s domain.Scope, o Origin, email string, role domain.Role) (Done[domain.Membership], error) {
	if !role.Known() {
		return Done[domain.Membership]{}, domain.Invalid("/role", "enum", "one of %v is wanted", domain.Roles())
	}
	u, found, err := c.UserByEmail(ctx, email)
	if err != nil {
		return Done[domain.Membership]{}, err
	}
	if !found {
		return Done[domain.Membership]{}, domain.Invalid("/email", "unknown_user", "no registered user has this e-mail address")
	}
	return change(ctx, c, s, o, memberships, u.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, m domain.Membership) ([]domain.Event, error) {
			user, err := look(ctx, a, users, domain.Platform, u.UUID())
			if err != nil {
				return nil, err
			}
			return domain.DecideMembership(m, by, domain.AddMember{User: user, Role: role})
		})
}

// ChangeRole gives a member another role; cmd.OwnerStays is given by this method.
func (c *Commands) ChangeRole(ctx context.Context, s domain.Scope, o Origin, u domain.UserID, cmd domain.ChangeRole) (Done[domain.Membership], error) {
	return change(ctx, c, s, o, memberships, u.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, m domain.Membership) ([]domain.Event, error) {
			var err error
			if cmd.OwnerStays, err = c.ownerStays(ctx, a, m); err != nil {
				return nil, err
			}
			return domain.DecideMembership(m, by, cmd)
		})
}

// RemoveMember ends a membership; cmd.OwnerStays is given by this method.
func (c *Commands) RemoveMember(ctx context.Context, s domain.Scope, o Origin, u domain.UserID, cmd domain.RemoveMember) (Done[domain.Membership], error) {
	return change(ctx, c, s, o, memberships, u.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, m domain.Membership) ([]domain.Event, error) {
			var err error
			if cmd.OwnerStays, err = c.ownerStays(ctx, a, m); err != nil {
				return nil, err
			}
			return domain.DecideMembership(m, by, cmd)
		})
}

// ownerStays looks for an owner other than this one. The one that it finds is
// guarded by having been looked at, so two owners can't both go on the
// strength of each other.
func (c *Commands) ownerStays(ctx context.Context, a *attempt, m domain.Membership) (bool, error) {
	if m.Role != domain.Owner || !m.Active {
		return true, nil
	}
	others, err := c.store.ClaimantsBut(ctx, m.TenantID, eventstore.ClaimOwner, m.UserID.UUID(), ownersAsked)
	if err != nil {
		return false, unavailable(err)
	}
	for _, id := range others {
		other, err := look(ctx, a, memberships, m.TenantID, id)
		if err != nil {
			return false, err
		}
		if other.Active && other.Role == domain.Owner {
			return true, nil
		}
	}
	return false, nil
}

// memberClaims are the claims that follow from a membership's events: every
// owner of a tenant holds one in its log, and every membership one in the
// platform's.
func memberClaims(t domain.TenantID, events []domain.Event) []eventstore.Claim {
	var out []eventstore.Claim
	owner := func(u domain.UserID, release bool) {
		out = append(out, eventstore.Claim{
			Tenant: t, Kind: eventstore.ClaimOwner, Value: u.String(), Holder: u.UUID(), Release: release,
		})
	}
	member := func(u domain.UserID, release bool) {
		out = append(out, eventstore.Claim{
			Tenant: domain.Platform, Kind: membershipsOf(u), Value: t.String(), Holder: t.UUID(), Release: release,
		})
	}
	for _, e := range events {
		switch e := e.(type) {
		case domain.MemberJoined:
			member(e.UserID, false)
			if e.Role == domain.Owner {
				owner(e.UserID, false)
			}
		case domain.MemberRoleChanged:
			if slices.Contains([]domain.Role{e.From, e.To}, domain.Owner) {
				owner(e.UserID, e.From == domain.Owner)
			}
		case domain.MemberLeft:
			member(e.UserID, true)
			if e.Role == domain.Owner {
				owner(e.UserID, true)
			}
		}
	}
	return out
}
