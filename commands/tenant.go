package commands

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxSlugs is how many slugs the cache holds.
const maxSlugs = 20_000

// NewTenant is the name and slug of a tenant to create.
type NewTenant struct {
	Name string
	Slug string
}

// CreateTenant creates a tenant that takes no registrations, with the user as its
// owner. Errors: CodeRegistrationClosed where the operator doesn't let users create one,
// or another one, CodeSlugTaken, CodeValidationFailed, and those of every command.
func (c *Commands) CreateTenant(ctx context.Context, u domain.UserID, o Origin, n NewTenant) (Result[domain.Tenant], error) {
	if err := c.mayCreateTenant(ctx, u); err != nil {
		return Result[domain.Tenant]{}, err
	}
	id, err := newID[domain.TenantID]()
	if err != nil {
		return Result[domain.Tenant]{}, err
	}
	created, err := execute(ctx, c, o, tenants.newStream(id, id.UUID()), func(ctx context.Context, a *attempt) (domain.Actor, error) {
		user, err := load(ctx, a, users.in(domain.Platform, u.UUID()))
		if err != nil {
			return domain.Actor{}, err
		}
		by := domain.Actor{ID: u, Name: user.Name, Role: domain.Owner}
		if err := a.createTenant(ctx, id, by, domain.CreateTenant{
			Name: n.Name, Slug: n.Slug, Registration: domain.RegistrationClosed,
		}); err != nil {
			return by, err
		}
		return by, a.join(ctx, memberships.newStream(id, u.UUID()), by, domain.JoinTenant{User: user, Role: domain.Owner})
	})
	return created, slugTaken(err, n.Slug)
}

// EnsureDefaultTenant creates the default tenant unless it exists. It is open to
// registrations, and the first user who registers becomes its owner.
func (c *Commands) EnsureDefaultTenant(ctx context.Context, n NewTenant) (domain.TenantID, error) {
	if id, found, err := c.TenantBySlug(ctx, n.Slug); err != nil || found {
		return id, err
	}
	id, err := newID[domain.TenantID]()
	if err != nil {
		return id, err
	}
	_, err = execute(ctx, c, Origin{}, tenants.newStream(id, id.UUID()), func(ctx context.Context, a *attempt) (domain.Actor, error) {
		return domain.Actor{}, a.createTenant(ctx, id, domain.Actor{Role: domain.Owner}, domain.CreateTenant{
			Name: n.Name, Slug: n.Slug, Registration: domain.RegistrationOpen, AwaitsFounder: true,
		})
	})
	if errors.Is(slugTaken(err, n.Slug), domain.SlugTaken(n.Slug)) {
		// Another replica has created it.
		id, _, err = c.TenantBySlug(ctx, n.Slug)
	}
	return id, err
}

// createTenant writes the first events of a tenant's log and claims its slug.
func (a *attempt) createTenant(ctx context.Context, id domain.TenantID, by domain.Actor, cmd domain.CreateTenant) error {
	target := tenants.newStream(id, id.UUID())
	tenant, err := load(ctx, a, target)
	if err != nil {
		return err
	}
	events, err := domain.DecideTenant(tenant, by, cmd)
	if err != nil {
		return err
	}
	a.write(target.key, events)
	a.commit.NewTenants = append(a.commit.NewTenants, id)
	a.commit.Claims = append(a.commit.Claims, eventstore.Claim{
		Tenant: domain.Platform, Kind: eventstore.ClaimSlug, Value: cmd.Slug, Holder: id.UUID(),
	})
	return nil
}

// EditTenant changes the settings of the scope's tenant. It stores the address in
// slackWebhook as a secret, and sets cmd.SlackWebhook to its name; the present address is
// no change. The secret is stored first: one that no event names is harmless, a name
// without one isn't.
func (c *Commands) EditTenant(ctx context.Context, s domain.Scope, o Origin, cmd domain.EditTenant, slackWebhook domain.Edit[*string]) (Result[domain.Tenant], error) {
	if slackWebhook.Set {
		cmd.SlackWebhook = domain.To[*domain.SecretID](nil)
	}
	var stored *domain.SecretID
	return change(ctx, c, s, o, tenants.in(s.Tenant(), s.Tenant().UUID()),
		func(ctx context.Context, _ *attempt, by domain.Actor, t domain.Tenant) ([]domain.Event, error) {
			if slackWebhook.Value != nil {
				id, err := c.secretOf(ctx, s.Tenant(), t.SlackWebhook, stored, *slackWebhook.Value)
				if err != nil {
					return nil, err
				}
				stored, cmd.SlackWebhook = id, domain.To(id)
			}
			return domain.DecideTenant(t, by, cmd)
		})
}

// secretOf returns the name of a secret with a value: the present one if it has it, else
// the one that an earlier attempt has stored, else a new one.
func (c *Commands) secretOf(ctx context.Context, t domain.TenantID, present, stored *domain.SecretID, value string) (*domain.SecretID, error) {
	if present != nil {
		if same, err := c.secrets.Is(ctx, t, *present, value); err != nil || same {
			return present, err
		}
	}
	if stored != nil {
		return stored, nil
	}
	id, err := newID[domain.SecretID]()
	if err != nil {
		return nil, err
	}
	if err := c.secrets.Put(ctx, t, id, value); err != nil {
		return nil, fmt.Errorf("store secret: %w", err)
	}
	return &id, nil
}

// TenantBySlug finds the tenant that has a slug.
func (c *Commands) TenantBySlug(ctx context.Context, slug string) (id domain.TenantID, found bool, err error) {
	return c.slugs.find(ctx, slug)
}

// TenantExists reports whether a tenant with this id was ever created.
func (c *Commands) TenantExists(ctx context.Context, id domain.TenantID) (bool, error) {
	if id == domain.Platform {
		return false, nil
	}
	f, _, err := read(ctx, c, tenants.in(id, id.UUID()), false)
	return f.version > 0, err
}

// DemandsVerifiedEmail reports whether a tenant's members need a verified address to write.
// It may come from the cache: another replica's change may take effect here at the next
// command.
func (c *Commands) DemandsVerifiedEmail(ctx context.Context, id domain.TenantID) (bool, error) {
	f, _, err := read(ctx, c, tenants.in(id, id.UUID()), false)
	if err != nil {
		return false, err
	}
	t, _ := f.state.(domain.Tenant)
	return t.RequireVerifiedEmail, nil
}

// slugs caches which tenant has which slug. An entry never goes stale within one server:
// no slug is released.
type slugs struct {
	store Store
	cache *lru.Cache[string, domain.TenantID]
}

func newSlugs(s Store) (*slugs, error) {
	cache, err := lru.New[string, domain.TenantID](maxSlugs)
	return &slugs{s, cache}, err
}

func (s *slugs) find(ctx context.Context, slug string) (domain.TenantID, bool, error) {
	if id, ok := s.cache.Get(slug); ok {
		return id, true, nil
	}
	server := s.store.ServerNumber()
	holder, found, err := s.store.Claimant(ctx, domain.Platform, eventstore.ClaimSlug, slug)
	if err != nil || !found {
		return domain.TenantID{}, false, err
	}
	id := domain.TenantID(holder)
	s.cache.Add(slug, id)
	if s.store.ServerNumber() != server { // ServerChanged may have emptied the cache before the Add
		s.cache.Remove(slug)
	}
	return id, true, nil
}

// slugTaken turns the refusal of the slug's claim into CodeSlugTaken.
func slugTaken(err error, slug string) error {
	var claimed *eventstore.ClaimedError
	if errors.As(err, &claimed) && claimed.Claim.Kind == eventstore.ClaimSlug {
		return domain.SlugTaken(slug)
	}
	return err
}
