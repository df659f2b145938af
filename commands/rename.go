package commands

import (
	"context"
	"fmt"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"

	"github.com/google/uuid"
)

// Renames is the name of the subscription that copies a user's new name into the
// tenants of which they are a member.
const Renames = "renames"

// Rename gives a user another name. The subscription Renames copies it into the
// user's tenants. Result.Seq is of the platform's log, which no client sees.
func (c *Commands) Rename(ctx context.Context, u domain.UserID, o Origin, cmd domain.RenameUser) (Result[domain.User], error) {
	target := users.in(domain.Platform, u.UUID())
	return execute(ctx, c, o, target, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		user, err := load(ctx, a, target)
		if err != nil {
			return domain.Actor{}, err
		}
		events, err := domain.DecideUser(user, cmd)
		if err != nil {
			return domain.Actor{}, err
		}
		a.write(target.key, events)
		return domain.Actor{ID: u, Name: cmd.Name.Or(user.Name)}, nil
	})
}

// RenameInterest says which events Renames handles: UserRenamed of the platform.
func RenameInterest() feed.Interest {
	carried := domain.UserRenamed{}.EventType()
	i := feed.Interest{Handles: func(e domain.Recorded) bool { return e.Tenant == domain.Platform }}
	for _, d := range domain.Definitions() {
		if d.Type != carried {
			i.Ignores = append(i.Ignores, d.Type)
		}
	}
	return i
}

// CarryRenames handles a page of Renames. It appends outside the page's
// transaction: if that is rolled back the page comes again, and a name that was
// copied already changes nothing.
func (c *Commands) CarryRenames(ctx context.Context, p *feed.Page) error {
	if p.Tenant != domain.Platform {
		return nil
	}
	for _, r := range p.Events {
		renamed, ok := r.Event.(domain.UserRenamed)
		if !ok {
			continue
		}
		if err := c.copyName(ctx, r, renamed.Name.Value); err != nil {
			return fmt.Errorf("copy the name of seq %d: %w", r.Seq, err)
		}
	}
	return nil
}

// copyName copies a user's new name into the memberships of the user.
func (c *Commands) copyName(ctx context.Context, r domain.Recorded, name string) error {
	u := domain.UserID(r.Stream.ID)
	ids, err := c.store.ClaimantsBut(ctx, domain.Platform, membershipsOf(u), uuid.Nil, maxTenantsOfUser)
	if err != nil {
		return withCode(err)
	}
	by := domain.Actor{ID: u, Name: name}
	for _, id := range ids {
		t := domain.TenantID(id)
		o := Origin{RequestID: r.Meta.RequestID, Command: domain.CommandID(uuid.NewSHA1(r.Command.UUID(), id[:]))}
		target := memberships.in(t, u.UUID())
		_, err := execute(ctx, c, o, target, func(ctx context.Context, a *attempt) (domain.Actor, error) {
			m, err := load(ctx, a, target)
			if err != nil {
				return by, err
			}
			events, err := domain.DecideMembership(m, by, domain.RenameMember{Name: name, UserVersion: r.Version})
			if err != nil {
				return by, err
			}
			a.write(target.key, events)
			return by, nil
		})
		if err != nil {
			return fmt.Errorf("tenant %s: %w", t, err)
		}
	}
	return nil
}

// maxTenantsOfUser bounds how many tenants one new name is copied to.
const maxTenantsOfUser = 10_000

// membershipsOf is the kind of the claims, in the platform's log, that say of which
// tenants a user is a member. The commits of the membership's events take and
// release them, so they are exact where a read model may lag.
func membershipsOf(u domain.UserID) eventstore.ClaimKind {
	return eventstore.ClaimKind("memberships/" + u.String())
}
