package commands

import (
	"context"
	"slices"

	"docket/domain"

	"github.com/google/uuid"
)

// RegistrationPolicy says who may register on this installation. A tenant decides beside
// it whom it takes.
type RegistrationPolicy string

// The policies. The founder of the default tenant registers under all but the last, from the
// machine itself or with the setup code.
const (
	RegisterLocal   RegistrationPolicy = "local"   // who sends the request from the machine itself
	RegisterAnyone  RegistrationPolicy = "anyone"  // everybody
	RegisterInvited RegistrationPolicy = "invited" // the invited
	RegisterNone    RegistrationPolicy = "nobody"  // none
)

// RegistrationPolicies are all.
func RegistrationPolicies() []RegistrationPolicy {
	return []RegistrationPolicy{RegisterLocal, RegisterAnyone, RegisterInvited, RegisterNone}
}

// admission is what the operator has decided about users and tenants.
type admission struct {
	registration        RegistrationPolicy
	onlyOperatorsCreate bool
	tenantsPerUser      int
}

func newAdmission(cfg Config) admission {
	a := admission{cfg.Registration, cfg.OnlyOperatorsCreate, cfg.TenantsPerUser}
	if a.registration == "" {
		a.registration = RegisterLocal
	}
	return a
}

// mayRegister is nil, or CodeRegistrationClosed where the operator doesn't let the
// registrant register. A tenant that awaits its founder takes one under each policy but
// RegisterNone.
func (c *Commands) mayRegister(ctx context.Context, a *attempt, t domain.TenantID, r Registrant) error {
	policy := c.admission.registration
	if policy == RegisterAnyone || policy == RegisterLocal && r.Local {
		return nil
	}
	if policy != RegisterNone {
		tenant, err := load(ctx, a, tenants.in(t, t.UUID()))
		if err != nil || tenant.AwaitsFounder { // registrationOf asks for what a founder has to show
			return err
		}
	}
	return domain.Refuse(domain.CodeRegistrationClosed, "this server takes no registrations from here")
}

// mayCreateTenant is nil, or CodeRegistrationClosed where the operator doesn't let a user
// create a tenant, or another one. Of two that a user creates at once both may be taken.
func (c *Commands) mayCreateTenant(ctx context.Context, u domain.UserID) error {
	if c.admission.onlyOperatorsCreate {
		return domain.Refuse(domain.CodeRegistrationClosed, "only the operators of this server create tenants")
	}
	limit := c.admission.tenantsPerUser
	if limit == 0 {
		return nil
	}
	of, err := c.store.ClaimantsBut(ctx, domain.Platform, membershipsOf(u), uuid.Nil, maxTenantsOfUser)
	if err != nil {
		return err
	}
	owned := 0
	// The newest first: a user with many tenants is refused early.
	for _, t := range slices.Backward(of) {
		f, _, err := read(ctx, c, memberships.in(domain.TenantID(t), u.UUID()), false)
		if err != nil {
			return err
		}
		if m, ok := f.state.(domain.Membership); ok && m.Active && m.Role == domain.Owner {
			owned++
		}
		if owned >= limit {
			return domain.Refuse(domain.CodeRegistrationClosed, "you own %d tenants, as many as this server allows a user", owned)
		}
	}
	return nil
}
