package commands

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore"

	lru "github.com/hashicorp/golang-lru/v2"
)

// slugsKept is how many slugs are remembered.
const slugsKept = 20_000

// NewTenant is a tenant to be made.
type NewTenant struct {
	Name string
	Slug string
}

// CreateTenant makes a tenant that takes no registrations, with the user as its
// owner. Errors: CodeSlugTaken, CodeValidationFailed, and those of every command.
func (c *Commands) CreateTenant(ctx context.Context, u domain.UserID, o Origin, n NewTenant) (Done[domain.Tenant], error) {
	id, err := newID[domain.TenantID]()
	if err != nil {
		return Done[domain.Tenant]{}, err
	}
	a, err := c.execute(ctx, o, func(ctx context.Context, a *attempt) (domain.Actor, error) {
		user, err := look(ctx, a, users, domain.Platform, u.UUID())
		if err != nil {
			return domain.Actor{}, err
		}
		by := domain.Actor{ID: u, Name: user.Name, Role: domain.Owner}
		if err := a.open(id, by, domain.CreateTenant{
			Name: n.Name, Slug: n.Slug, Registration: domain.RegistrationClosed,
		}); err != nil {
			return by, err
		}
		m := begin(a, memberships, id, u.UUID())
		joined, err := domain.DecideMembership(m, by, domain.JoinTenant{User: user, Role: domain.Owner})
		if err != nil {
			return by, err
		}
		a.write(id, domain.Stream(domain.MemberStream, u), joined)
		return by, nil
	})
	if err != nil {
		return Done[domain.Tenant]{}, slugTaken(err, n.Slug)
	}
	return done(ctx, a, tenants)
}

// EnsureDefaultTenant makes the tenant that those get who name none, unless it
// is there: open to registrations, and founded by the first who comes.
func (c *Commands) EnsureDefaultTenant(ctx context.Context, n NewTenant) (domain.TenantID, error) {
	if id, found, err := c.TenantBySlug(ctx, n.Slug); err != nil || found {
		return id, err
	}
	id, err := newID[domain.TenantID]()
	if err != nil {
		return id, err
	}
	_, err = c.execute(ctx, Origin{}, func(_ context.Context, a *attempt) (domain.Actor, error) {
		return domain.Actor{}, a.open(id, domain.Actor{Role: domain.Owner}, domain.CreateTenant{
			Name: n.Name, Slug: n.Slug, Registration: domain.RegistrationOpen, AwaitsFounder: true,
		})
	})
	if errors.Is(slugTaken(err, n.Slug), domain.SlugTaken(n.Slug)) {
		// Another replica was first.
		id, _, err = c.TenantBySlug(ctx, n.Slug)
	}
	return id, err
}

// open writes the beginning of a tenant's log and claims its slug.
func (a *attempt) open(id domain.TenantID, by domain.Actor, cmd domain.CreateTenant) error {
	events, err := domain.DecideTenant(begin(a, tenants, id, id.UUID()), by, cmd)
	if err != nil {
		return err
	}
	a.answer = streamKey{id, domain.Stream(domain.TenantStream, id)}
	a.write(id, a.answer.stream, events)
	a.commit.NewTenants = append(a.commit.NewTenants, id)
	a.commit.Claims = append(a.commit.Claims, eventstore.Claim{
		Tenant: domain.Platform, Kind: eventstore.ClaimSlug, Value: cmd.Slug, Holder: id.UUID(),
	})
	return nil
}

// EditTenant changes what an owner may change of the scope's tenant. slackWebhook
// is the address that cmd.SlackWebhook gets a name for: it is kept first, since a
// secret that no event names is harmless, and a name without a secret isn't.
func (c *Commands) EditTenant(ctx context.Context, s domain.Scope, o Origin, cmd domain.EditTenant, slackWebhook domain.Edit[*string]) (Done[domain.Tenant], error) {
	if slackWebhook.Set {
		cmd.SlackWebhook = domain.To[*domain.SecretID](nil)
	}
	if slackWebhook.Value != nil && !o.Key.Replayed() {
		id, err := newID[domain.SecretID]()
		if err != nil {
			return Done[domain.Tenant]{}, err
		}
		if err := c.secrets.Put(ctx, s.Tenant(), id, *slackWebhook.Value); err != nil {
			return Done[domain.Tenant]{}, fmt.Errorf("keep secret: %w", err)
		}
		cmd.SlackWebhook = domain.To(&id)
	}
	return change(ctx, c, s, o, tenants, s.Tenant().UUID(),
		func(_ context.Context, _ *attempt, by domain.Actor, t domain.Tenant) ([]domain.Event, error) {
			return domain.DecideTenant(t, by, cmd)
		})
}

// TenantBySlug finds a tenant; found is false where there is none.
func (c *Commands) TenantBySlug(ctx context.Context, slug string) (id domain.TenantID, found bool, err error) {
	return c.slugs.find(ctx, slug)
}

// TenantExists reports whether a tenant with this id was ever created.
func (c *Commands) TenantExists(ctx context.Context, id domain.TenantID) (bool, error) {
	if id == domain.Platform {
		return false, nil
	}
	f, _, err := read(ctx, c, tenants, id, id.UUID(), false)
	return f.version > 0, err
}

// slugs remembers which tenant has which slug. A slug is never given back, so
// what was found once stays true.
type slugs struct {
	store Store
	cache *lru.Cache[string, domain.TenantID]
}

func newSlugs(s Store) (*slugs, error) {
	cache, err := lru.New[string, domain.TenantID](slugsKept)
	return &slugs{s, cache}, err
}

func (s *slugs) find(ctx context.Context, slug string) (domain.TenantID, bool, error) {
	if id, ok := s.cache.Get(slug); ok {
		return id, true, nil
	}
	holder, found, err := s.store.Claimant(ctx, domain.Platform, eventstore.ClaimSlug, slug)
	if err != nil || !found {
		return domain.TenantID{}, false, unavailable(err)
	}
	id := domain.TenantID(holder)
	s.cache.Add(slug, id)
	return id, true, nil
}

// slugTaken is CodeSlugTaken where the slug's claim was refused.
func slugTaken(err error, slug string) error {
	var claimed *eventstore.ClaimedError
	if errors.As(err, &claimed) && claimed.Claim.Kind == eventstore.ClaimSlug {
		return domain.SlugTaken(slug)
	}
	return err
}
