package commands

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"docket/domain"
	"docket/eventstore"
)

// deletePasswordTimeout bounds the clean-up after a registration that was refused.
const deletePasswordTimeout = 5 * time.Second

// Registration is one who would become a user and join a tenant.
type Registration struct {
	Email    string
	Password string
	Name     string
	// Visitor tells what the founding of the default tenant asks for.
	Visitor Visitor
}

// Visitor is one who may be the first.
type Visitor struct {
	// Local is one who comes straight from the machine itself.
	Local bool
	// SetupCode is what they were told.
	SetupCode string
}

// Register makes a user and joins them to a tenant that takes registrations, in
// one Commit: without the one there isn't the other. Errors:
// CodeRegistrationClosed (also for a tenant that isn't there),
// CodeSetupCodeRequired, CodeEmailTaken, CodeValidationFailed, CodeOverloaded.
func (c *Commands) Register(ctx context.Context, t domain.TenantID, o Origin, r Registration) (Done[domain.User], error) {
	id, err := newID[domain.UserID]()
	if err != nil {
		return Done[domain.User]{}, err
	}
	register := domain.RegisterUser{ID: id, Email: r.Email, Name: r.Name}
	if err := c.checkRegistration(register, r.Password); err != nil {
		return Done[domain.User]{}, err
	}
	// Asked before the password is hashed, which costs; and again with the append.
	if _, err := c.doorOf(ctx, &attempt{cmds: c, fresh: true, seen: map[streamKey]*sight{}}, t, r.Visitor); err != nil {
		return Done[domain.User]{}, err
	}
	// The password is kept first: a row that no user has is harmless, a user
	// without a password isn't.
	if err := c.passwords.Set(ctx, id, r.Password); err != nil {
		return Done[domain.User]{}, err
	}
	a, err := c.execute(ctx, o, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		by := domain.Actor{ID: id, Name: r.Name}
		registered, err := domain.DecideUser(begin(a, users, domain.Platform, id.UUID()), register)
		if err != nil {
			return by, err
		}
		a.answer = streamKey{domain.Platform, domain.Stream(domain.UserStream, id)}
		a.write(domain.Platform, a.answer.stream, registered)
		a.commit.Claims = append(a.commit.Claims, eventstore.Claim{
			Tenant: domain.Platform, Kind: eventstore.ClaimEmail, Value: domain.FoldEmail(r.Email), Holder: id.UUID(),
		})
		begin(a, memberships, t, id.UUID())
		user := domain.User{ID: id, Email: r.Email, Name: r.Name, Version: len(registered)}
		return by, c.enter(ctx, a, t, user, r.Visitor)
	})
	if err != nil {
		if !errors.Is(err, eventstore.ErrOutcomeUnknown) {
			c.deletePassword(ctx, id)
		}
		return Done[domain.User]{}, emailTaken(err)
	}
	user, err := done(ctx, a, users)
	user.Seq = seqIn(a, t)
	return user, err
}

// deletePassword deletes the password of a user whose registration was refused.
// One that stays behind is harmless.
func (c *Commands) deletePassword(ctx context.Context, u domain.UserID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deletePasswordTimeout)
	defer cancel()
	if err := c.passwords.Delete(ctx, u); err != nil {
		c.log.Warn("the password of a refused registration was not deleted", "error", err)
	}
}

// Join makes a user a member of a tenant that takes registrations. Errors:
// CodeRegistrationClosed, CodeAlreadyMember, CodeSetupCodeRequired.
func (c *Commands) Join(ctx context.Context, t domain.TenantID, u domain.UserID, o Origin, v Visitor) (Done[domain.Membership], error) {
	a, err := c.execute(ctx, o, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		user, err := look(ctx, a, users, domain.Platform, u.UUID())
		if err != nil {
			return domain.Actor{}, err
		}
		by := domain.Actor{ID: u, Name: user.Name}
		if _, err := look(ctx, a, memberships, t, u.UUID()); err != nil {
			return by, err
		}
		a.answer = streamKey{t, domain.Stream(domain.MemberStream, u)}
		return by, c.enter(ctx, a, t, user, v)
	})
	if err != nil {
		return Done[domain.Membership]{}, err
	}
	return done(ctx, a, memberships)
}

// User is a user's state, read from the stream.
func (c *Commands) User(ctx context.Context, id domain.UserID) (domain.User, error) {
	f, _, err := read(ctx, c, users, domain.Platform, id.UUID(), true)
	if err != nil {
		return domain.User{}, err
	}
	if f.version == 0 {
		return domain.User{}, domain.NotFound("user")
	}
	return f.state.(domain.User), nil
}

// enter writes the membership of one who comes by themselves, and the founding
// of a tenant by the first of them.
func (c *Commands) enter(ctx context.Context, a *attempt, t domain.TenantID, u domain.User, v Visitor) error {
	role, err := c.doorOf(ctx, a, t, v)
	if err != nil {
		return err
	}
	tenant, err := look(ctx, a, tenants, t, t.UUID())
	if err != nil {
		return err
	}
	m, err := look(ctx, a, memberships, t, u.ID.UUID())
	if err != nil {
		return err
	}
	joined, err := domain.DecideMembership(m, domain.Actor{ID: u.ID}, domain.JoinTenant{User: u, Role: role})
	if err != nil {
		return err
	}
	a.write(t, domain.Stream(domain.MemberStream, u.ID), joined)
	if !tenant.AwaitsFounder {
		return nil
	}
	founded, err := domain.DecideTenant(tenant, domain.Actor{ID: u.ID}, domain.FoundTenant{Founder: u.ID})
	if err != nil {
		return err
	}
	a.write(t, domain.Stream(domain.TenantStream, t), founded)
	return nil
}

// doorOf is the role that a tenant gives to one who comes by themselves.
func (c *Commands) doorOf(ctx context.Context, a *attempt, t domain.TenantID, v Visitor) (domain.Role, error) {
	tenant, err := look(ctx, a, tenants, t, t.UUID())
	if err != nil {
		return "", err
	}
	role, err := tenant.Admits()
	if err != nil {
		return "", err
	}
	if tenant.AwaitsFounder && !v.Local && !c.knowsSetupCode(v.SetupCode) {
		return "", domain.Refuse(domain.CodeSetupCodeRequired, "the first to register becomes owner and needs the setup code that the server printed")
	}
	return role, nil
}

func (c *Commands) knowsSetupCode(code string) bool {
	return c.setupCode != "" && subtle.ConstantTimeCompare([]byte(code), []byte(c.setupCode)) == 1
}

// UserByEmail finds the user who has an address, compared case-folded; found is
// false where nobody has it. It tells who is registered: no answer to a request
// may, but to one who may add members.
func (c *Commands) UserByEmail(ctx context.Context, email string) (id domain.UserID, found bool, err error) {
	holder, found, err := c.store.Claimant(ctx, domain.Platform, eventstore.ClaimEmail, domain.FoldEmail(email))
	return domain.UserID(holder), found, unavailable(err)
}

// seqIn is the position of what an attempt wrote last in a tenant's log.
func seqIn(a *attempt, t domain.TenantID) int64 {
	var seq int64
	for key, s := range a.seen {
		if s.written && key.tenant == t {
			seq = max(seq, s.seq)
		}
	}
	return seq
}

func (c *Commands) checkRegistration(r domain.RegisterUser, password string) error {
	_, err := domain.DecideUser(domain.User{}, r)
	var refused *domain.Error
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	if f := c.passwords.Validate("/password", password); f != nil {
		if refused == nil {
			return &domain.Error{Code: domain.CodeValidationFailed, Detail: "the request has invalid fields", Fields: []domain.FieldError{*f}}
		}
		refused.Fields = append(refused.Fields, *f)
	}
	if refused == nil {
		return nil
	}
	return refused
}

// emailTaken is CodeEmailTaken where the address's claim was refused.
func emailTaken(err error) error {
	var claimed *eventstore.ClaimedError
	if errors.As(err, &claimed) && claimed.Claim.Kind == eventstore.ClaimEmail {
		return domain.EmailTaken()
	}
	return err
}
