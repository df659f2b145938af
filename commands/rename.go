package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

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

const (
	// CopyTimeout is how long the copy of a name into one tenant may wait: far longer than an
	// append, and far shorter than a page may. It doesn't end a batch in flight.
	CopyTimeout = 2 * time.Second
	// copyPatience is how long a page waits for tenants that fail, in all.
	copyPatience = 10 * time.Second
)

// CarryRenames handles a page of Renames. It appends outside the page's
// transaction: if that is rolled back the page comes again, and a name that was
// copied already changes nothing. A tenant whose log can't be read or written, such as a
// damaged or locked one, is postponed (CarryRename), and the others follow.
func (c *Commands) CarryRenames(ctx context.Context, p *feed.Page) error {
	if p.Tenant != domain.Platform {
		return nil
	}
	failed := map[domain.TenantID]error{}
	var waited time.Duration
	for _, r := range p.Events {
		if _, ok := r.Event.(domain.UserRenamed); !ok {
			continue
		}
		ids, err := c.store.ClaimantsBut(ctx, domain.Platform, membershipsOf(domain.UserID(r.Stream.ID)), uuid.Nil, maxTenantsOfUser)
		if err != nil {
			return fmt.Errorf("copy the name of seq %d: %w", r.Seq, err)
		}
		for _, id := range ids {
			t := domain.TenantID(id)
			cause, began := failed[t], time.Now()
			if cause == nil && waited >= copyPatience {
				cause = errPatience
			}
			if cause == nil {
				if cause = c.copyNameWithin(ctx, t, r); cause == nil {
					continue
				}
				waited += time.Since(began)
			}
			if ctx.Err() != nil {
				return fmt.Errorf("copy the name of seq %d: tenant %s: %w", r.Seq, t, cause)
			}
			if failed[t] == nil {
				c.log.ErrorContext(ctx, "a new name isn't copied into a tenant; it is tried again", "tenant", t, "seq", r.Seq, "error", cause)
			}
			failed[t] = cause
			p.Postpone(r.Seq, t, cause)
		}
	}
	return nil
}

// errPatience is why a page postpones tenants without a try.
var errPatience = errors.New("other tenants took too long")

func (c *Commands) copyNameWithin(ctx context.Context, t domain.TenantID, r domain.Recorded) error {
	ctx, cancel := context.WithTimeout(ctx, CopyTimeout)
	defer cancel()
	return c.CarryRename(ctx, t, r)
}

// CarryRename copies the name of one UserRenamed into one tenant of the user. Once it is
// copied, or a newer name is, it changes nothing.
func (c *Commands) CarryRename(ctx context.Context, t domain.TenantID, r domain.Recorded) error {
	renamed, ok := r.Event.(domain.UserRenamed)
	if !ok {
		return nil // what a restored log has in its place
	}
	u, id := domain.UserID(r.Stream.ID), t.UUID()
	by := domain.Actor{ID: u, Name: renamed.Name.Value}
	o := Origin{RequestID: r.Meta.RequestID, Command: domain.CommandID(uuid.NewSHA1(r.Command.UUID(), id[:]))}
	target := memberships.in(t, u.UUID())
	_, err := execute(ctx, c, o, target, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		m, err := load(ctx, a, target)
		if err != nil {
			return by, err
		}
		events, err := domain.DecideMembership(m, by, domain.RenameMember{Name: by.Name, UserVersion: r.Version})
		if err != nil {
			return by, err
		}
		a.write(target.key, events)
		return by, nil
	})
	return err
}

// maxTenantsOfUser bounds how many tenants one new name is copied to.
const maxTenantsOfUser = 10_000

// membershipsOf is the kind of the claims, in the platform's log, that say of which
// tenants a user is a member. The commits of the membership's events take and
// release them, so they are exact where a read model may lag.
func membershipsOf(u domain.UserID) eventstore.ClaimKind {
	return eventstore.ClaimKind("memberships/" + u.String())
}
