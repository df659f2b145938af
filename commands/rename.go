package commands

import (
	"context"
	"fmt"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"

	"github.com/google/uuid"
)

// Renames is the name of the subscription that carries users' new names into
// the tenants that they are members of.
const Renames = "renames"

// Rename gives a user another name; Renames carries it on. Seq is of the
// platform's log, which no client sees.
func (c *Commands) Rename(ctx context.Context, u domain.UserID, o Origin, cmd domain.RenameUser) (Done[domain.User], error) {
	a, err := c.execute(ctx, o, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		user, err := look(ctx, a, users, domain.Platform, u.UUID())
		if err != nil {
			return domain.Actor{}, err
		}
		events, err := domain.DecideUser(user, cmd)
		if err != nil {
			return domain.Actor{}, err
		}
		a.answer = streamKey{domain.Platform, domain.Stream(domain.UserStream, u)}
		a.write(domain.Platform, a.answer.stream, events)
		return domain.Actor{ID: u, Name: cmd.Name.Or(user.Name)}, nil
	})
	if err != nil {
		return Done[domain.User]{}, err
	}
	return done(ctx, a, users)
}

// RenameInterest is what Renames has to do with a log.
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
// transaction: should that be rolled back, the page comes again, and a renaming
// that was carried already changes nothing.
func (c *Commands) CarryRenames(ctx context.Context, p *feed.Page) error {
	if p.Tenant != domain.Platform {
		return nil
	}
	for _, r := range p.Events {
		renamed, ok := r.Event.(domain.UserRenamed)
		if !ok {
			continue
		}
		if err := c.carryRename(ctx, r, renamed); err != nil {
			return fmt.Errorf("carry renaming at seq %d: %w", r.Seq, err)
		}
	}
	return nil
}

func (c *Commands) carryRename(ctx context.Context, r domain.Recorded, renamed domain.UserRenamed) error {
	u := domain.UserID(r.Stream.ID)
	tenants, err := c.store.ClaimantsBut(ctx, domain.Platform, membershipsOf(u), uuid.Nil, maxTenantsOfUser)
	if err != nil {
		return unavailable(err)
	}
	for _, id := range tenants {
		t := domain.TenantID(id)
		o := Origin{RequestID: r.Meta.RequestID, Command: domain.CommandID(uuid.NewSHA1(r.Command.UUID(), id[:]))}
		_, err := c.execute(ctx, o, func(ctx context.Context, a *attempt) (domain.Actor, error) {
			by := domain.Actor{ID: u, Name: renamed.Name.Value}
			m, err := look(ctx, a, memberships, t, u.UUID())
			if err != nil {
				return by, err
			}
			events, err := domain.DecideMembership(m, by, domain.RenameMember{Name: renamed.Name.Value, UserVersion: r.Version})
			if err != nil {
				return by, err
			}
			a.write(t, domain.Stream(domain.MemberStream, u), events)
			return by, nil
		})
		if err != nil {
			return fmt.Errorf("tenant %s: %w", t, err)
		}
	}
	return nil
}

// maxTenantsOfUser bounds how many tenants one renaming is carried to.
const maxTenantsOfUser = 10_000

// membershipsOf is the kind of the claims, in the platform's log, that say which
// tenants a user is a member of. They are taken and given back with the
// membership's events, so they are exact where a read model may lag.
func membershipsOf(u domain.UserID) eventstore.ClaimKind {
	return eventstore.ClaimKind("memberships/" + u.String())
}
