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

// Registration is the request of a new user to join a tenant.
type Registration struct {
	Email      string
	Password   string
	Name       string
	Registrant Registrant
}

// Registrant says what a user who joins a tenant by themselves has to show if they
// are its first.
type Registrant struct {
	// Local is set for a request from the machine itself, over no proxy.
	Local bool
	// SetupCode is the code that the server printed.
	SetupCode string
}

// Register creates a user and makes them a member of a tenant that takes
// registrations, in one Commit. Result.Seq is the tenant's. Errors:
// CodeRegistrationClosed (also for a tenant that doesn't exist),
// CodeSetupCodeRequired, CodeEmailTaken, CodeValidationFailed, CodeOverloaded.
func (c *Commands) Register(ctx context.Context, t domain.TenantID, o Origin, r Registration) (Result[domain.User], error) {
	id, err := newID[domain.UserID]()
	if err != nil {
		return Result[domain.User]{}, err
	}
	register := domain.RegisterUser{ID: id, Email: r.Email, Name: r.Name}
	target := users.newStream(domain.Platform, id.UUID())
	first := newAttempt(c, target.key, true)
	if err := c.mayRegister(ctx, first, t, r.Registrant); err != nil {
		return Result[domain.User]{}, err
	}
	if err := c.checkRegistration(register, r.Password); err != nil {
		return Result[domain.User]{}, err
	}
	// Hashing the password is expensive, so the tenant is checked before it too.
	if _, err := c.registrationOf(ctx, first, t, r.Registrant); err != nil {
		return Result[domain.User]{}, err
	}
	// The password is stored first: one without a user is harmless, a user without
	// one isn't.
	if err := c.passwords.Create(ctx, id, r.Email, r.Password); err != nil {
		return Result[domain.User]{}, err
	}
	user, err := execute(ctx, c, o, target, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		by := domain.Actor{ID: id, Name: r.Name}
		user, err := a.register(ctx, target, register)
		if err != nil {
			return by, err
		}
		a.seqTenant = t
		return by, c.joinTenant(ctx, a, memberships.newStream(t, id.UUID()), user, r.Registrant)
	})
	if err != nil && !errors.Is(err, eventstore.ErrOutcomeUnknown) {
		c.deletePassword(ctx, id)
	}
	return user, emailTaken(err)
}

// register writes a new user and claims the address.
func (a *attempt) register(ctx context.Context, target aggregate[domain.User], r domain.RegisterUser) (domain.User, error) {
	state, err := load(ctx, a, target)
	if err != nil {
		return state, err
	}
	registered, err := domain.DecideUser(state, r)
	if err != nil {
		return state, err
	}
	a.write(target.key, registered)
	a.commit.Claims = append(a.commit.Claims, eventstore.Claim{
		Tenant: domain.Platform, Kind: eventstore.ClaimEmail, Value: domain.FoldEmail(r.Email), Holder: r.ID.UUID(),
	})
	return domain.User{ID: r.ID, Email: r.Email, Name: r.Name, Version: len(registered)}, nil
}

// CreateUser registers a user who is a member of no tenant, at an operator's request; it sets
// r.ID. Errors: CodeEmailTaken, CodeValidationFailed, CodeOverloaded.
func (c *Commands) CreateUser(ctx context.Context, o Origin, r domain.RegisterUser, password string) (Result[domain.User], error) {
	var err error
	if r.ID, err = newID[domain.UserID](); err != nil {
		return Result[domain.User]{}, err
	}
	if err := c.checkRegistration(r, password); err != nil {
		return Result[domain.User]{}, err
	}
	if err := c.passwords.Create(ctx, r.ID, r.Email, password); err != nil {
		return Result[domain.User]{}, err
	}
	target := users.newStream(domain.Platform, r.ID.UUID())
	user, err := execute(ctx, c, o, target, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		_, err := a.register(ctx, target, r)
		return domain.Actor{}, err
	})
	if err != nil && !errors.Is(err, eventstore.ErrOutcomeUnknown) {
		c.deletePassword(ctx, r.ID)
	}
	return user, emailTaken(err)
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

// Join makes a user a member of a tenant that takes registrations. Who was a member before
// comes back to no more than they had. Errors: CodeRegistrationClosed, CodeAlreadyMember,
// CodeSetupCodeRequired, CodeTenantAccessDenied for a user whom an owner has removed.
func (c *Commands) Join(ctx context.Context, t domain.TenantID, u domain.UserID, o Origin, r Registrant) (Result[domain.Membership], error) {
	target := memberships.in(t, u.UUID())
	return execute(ctx, c, o, target, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		user, err := load(ctx, a, users.in(domain.Platform, u.UUID()))
		if err != nil {
			return domain.Actor{}, err
		}
		return domain.Actor{ID: u, Name: user.Name}, c.joinTenant(ctx, a, target, user, r)
	})
}

// User is a user's state, read from the stream.
func (c *Commands) User(ctx context.Context, id domain.UserID) (domain.User, error) {
	f, _, err := read(ctx, c, users.in(domain.Platform, id.UUID()), true)
	if err != nil {
		return domain.User{}, err
	}
	if f.version == 0 {
		return domain.User{}, domain.NotFound("user")
	}
	return f.state.(domain.User), nil
}

// joinTenant writes the membership of a user who joins a tenant by themselves. The
// first user of a tenant that awaits its founder founds it.
func (c *Commands) joinTenant(ctx context.Context, a *attempt, m aggregate[domain.Membership], u domain.User, r Registrant) error {
	t := m.key.tenant
	role, err := c.registrationOf(ctx, a, t, r)
	if err != nil {
		return err
	}
	tenant, err := load(ctx, a, tenants.in(t, t.UUID()))
	if err != nil {
		return err
	}
	by := domain.Actor{ID: u.ID}
	if err := a.join(ctx, m, by, domain.JoinTenant{User: u, Role: role}); err != nil {
		return err
	}
	if !tenant.AwaitsFounder {
		return nil
	}
	founded, err := domain.DecideTenant(tenant, by, domain.FoundTenant{Founder: u.ID})
	if err != nil {
		return err
	}
	a.write(tenants.in(t, t.UUID()).key, founded)
	return nil
}

// join writes a user's membership.
func (a *attempt) join(ctx context.Context, target aggregate[domain.Membership], by domain.Actor, cmd domain.JoinTenant) error {
	m, err := load(ctx, a, target)
	if err != nil {
		return err
	}
	joined, err := domain.DecideMembership(m, by, cmd)
	if err != nil {
		return err
	}
	a.write(target.key, joined)
	return nil
}

// registrationOf is the role that a tenant gives to a user who joins by themselves.
func (c *Commands) registrationOf(ctx context.Context, a *attempt, t domain.TenantID, r Registrant) (domain.Role, error) {
	tenant, err := load(ctx, a, tenants.in(t, t.UUID()))
	if err != nil {
		return "", err
	}
	role, err := tenant.Admits()
	if err != nil {
		return "", err
	}
	if tenant.AwaitsFounder && !r.Local && !c.isSetupCode(r.SetupCode) {
		return "", domain.Refuse(domain.CodeSetupCodeRequired, "the first to register becomes owner and needs the setup code that the server printed")
	}
	return role, nil
}

func (c *Commands) isSetupCode(code string) bool {
	return c.setupCode != "" && subtle.ConstantTimeCompare([]byte(code), []byte(c.setupCode)) == 1
}

// UserByEmail finds the user with an e-mail address, compared by domain.FoldEmail. It
// reveals who is registered: only a response to someone who may add members may
// depend on it.
func (c *Commands) UserByEmail(ctx context.Context, email string) (id domain.UserID, found bool, err error) {
	address := domain.FoldEmail(email)
	if old := domain.Caseless(email); old != address {
		// A claim that eventstore.RefoldEmails left as it was, or hasn't moved yet.
		legacy, found, err := c.store.Claimant(ctx, domain.Platform, eventstore.ClaimEmail, old)
		if err != nil {
			return domain.UserID{}, false, err
		}
		if found {
			user, err := c.User(ctx, domain.UserID(legacy))
			if err != nil {
				return domain.UserID{}, false, err
			}
			if domain.FoldEmail(user.Email) == address { // else the two were one address once
				return user.ID, true, nil
			}
		}
	}
	holder, found, err := c.store.Claimant(ctx, domain.Platform, eventstore.ClaimEmail, address)
	return domain.UserID(holder), found, err
}

// checkRegistration is CodeValidationFailed with all invalid fields, or nil.
func (c *Commands) checkRegistration(r domain.RegisterUser, password string) error {
	_, err := domain.DecideUser(domain.User{}, r)
	var refused *domain.Error
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	f := c.passwords.Validate("/password", password, r.Email, r.Name)
	if f == nil {
		return err
	}
	if refused == nil {
		refused = domain.Invalid(f.Pointer, f.Code, "%s", f.Detail)
	} else {
		refused.Fields = append(refused.Fields, *f)
	}
	return refused
}

// emailTaken turns the refusal of the address's claim into CodeEmailTaken.
func emailTaken(err error) error {
	var claimed *eventstore.ClaimedError
	if errors.As(err, &claimed) && claimed.Claim.Kind == eventstore.ClaimEmail {
		return domain.EmailTaken()
	}
	return err
}
