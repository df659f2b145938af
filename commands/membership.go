package commands

import (
	"context"
	"slices"

	"docket/domain"
	"docket/eventstore"
)

// maxOtherOwners is how many other owners hasOtherOwner loads to find an active one.
const maxOtherOwners = 5

// AddMember makes a registered user a member. Errors: CodeValidationFailed at
// /email where no user has the address, those of domain.DecideMembership and of
// every command.
func (c *Commands) AddMember(ctx context.Context, s domain.Scope, o Origin, email string, role domain.Role) (Result[domain.Membership], error) {
	if !role.Known() {
		return Result[domain.Membership]{}, domain.Invalid("/role", "enum", "must be one of %v", domain.Roles())
	}
	u, found, err := c.UserByEmail(ctx, email)
	if err != nil {
		return Result[domain.Membership]{}, err
	}
	if !found {
		return Result[domain.Membership]{}, domain.Invalid("/email", "unknown_user", "no registered user has this e-mail address")
	}
	return change(ctx, c, s, o, memberships.in(s.Tenant(), u.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, m domain.Membership) ([]domain.Event, error) {
			user, err := load(ctx, a, users.in(domain.Platform, u.UUID()))
			if err != nil {
				return nil, err
			}
			return domain.DecideMembership(m, by, domain.AddMember{User: user, Role: role})
		})
}

// ChangeRole gives a member another role; it sets cmd.OwnerStays.
func (c *Commands) ChangeRole(ctx context.Context, s domain.Scope, o Origin, u domain.UserID, cmd domain.ChangeRole) (Result[domain.Membership], error) {
	return change(ctx, c, s, o, memberships.in(s.Tenant(), u.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, m domain.Membership) ([]domain.Event, error) {
			var err error
			if cmd.OwnerStays, err = c.hasOtherOwner(ctx, a, m); err != nil {
				return nil, err
			}
			return domain.DecideMembership(m, by, cmd)
		})
}

// RemoveMember ends a membership; it sets cmd.OwnerStays.
func (c *Commands) RemoveMember(ctx context.Context, s domain.Scope, o Origin, u domain.UserID, cmd domain.RemoveMember) (Result[domain.Membership], error) {
	return change(ctx, c, s, o, memberships.in(s.Tenant(), u.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, m domain.Membership) ([]domain.Event, error) {
			var err error
			if cmd.OwnerStays, err = c.hasOtherOwner(ctx, a, m); err != nil {
				return nil, err
			}
			return domain.DecideMembership(m, by, cmd)
		})
}

// hasOtherOwner reports whether the tenant keeps an owner without this member. The
// append guards the membership of the owner that it loads, so two owners who leave
// concurrently can't rely on each other.
func (c *Commands) hasOtherOwner(ctx context.Context, a *attempt, m domain.Membership) (bool, error) {
	if m.Role != domain.Owner || !m.Active {
		return true, nil
	}
	others, err := c.store.ClaimantsBut(ctx, m.TenantID, eventstore.ClaimOwner, m.UserID.UUID(), maxOtherOwners)
	if err != nil {
		return false, err
	}
	for _, id := range others {
		other, err := load(ctx, a, memberships.in(m.TenantID, id))
		if err != nil {
			return false, err
		}
		if other.Active && other.Role == domain.Owner {
			return true, nil
		}
	}
	return false, nil
}

// memberClaims are the claims that follow from a membership's events: each owner
// holds one in the tenant's log, each membership one in the platform's log.
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
