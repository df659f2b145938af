package main

import (
	"context"
	"fmt"
	"time"

	"docket/commands"
	"docket/domain"
	"docket/eventstore"
	"docket/internal/cli"
	"docket/projections"

	"github.com/spf13/cobra"
)

func (p *program) tenantsCommand() *cobra.Command {
	return cli.Group(&cobra.Command{
		Use: "tenants", Short: "The tenants",
		Example: `  docket tenants list
  docket tenants create --name "Acme Ltd" --slug acme --owner ann@example.org`,
	}, p.tenantsListCommand(), p.tenantsCreateCommand())
}

// tenantLine is a tenant for machines.
type tenantLine struct {
	ID           domain.TenantID     `json:"id"`
	Slug         string              `json:"slug"`
	Name         string              `json:"name"`
	Registration domain.Registration `json:"registration"`
	// AwaitsFounder: it has no owner yet; the first user who registers becomes its owner.
	AwaitsFounder bool      `json:"awaits_founder"`
	CreatedAt     time.Time `json:"created_at"`
	Version       int       `json:"version"`
	// Events is the length of its log.
	Events int64 `json:"events"`
}

func newTenantLine(t domain.Tenant, events int64) tenantLine {
	return tenantLine{
		ID: t.ID, Slug: t.Slug, Name: t.Name, Registration: t.Registration, AwaitsFounder: t.AwaitsFounder,
		CreatedAt: t.CreatedAt.UTC(), Version: t.Version, Events: events,
	}
}

// offlineCommands are the commands without a server: they need no session and no
// secret. A running server finds their events at its next sweep.
func offlineCommands(pools *pools) (*commands.Commands, error) {
	return commands.New(commands.Config{Store: eventstore.New(pools.Engine, pools.API, nil)})
}

// platform is the name of the platform tenant, whose log has the users. No slug has
// brackets.
const platform = "(platform)"

// findTenant finds a tenant by its id or its slug. The platform tenant has its name
// and the nil UUID.
func findTenant(ctx context.Context, p *pools, name string) (domain.TenantID, error) {
	if id, err := domain.ParseID[any](name); name == platform || err == nil && domain.TenantID(id) == domain.Platform {
		return domain.Platform, nil
	}
	c, err := offlineCommands(p)
	if err != nil {
		return domain.TenantID{}, err
	}
	if id, err := domain.ParseID[any](name); err == nil {
		exists, err := c.TenantExists(ctx, domain.TenantID(id))
		if err != nil || exists {
			return domain.TenantID(id), err
		}
	}
	id, found, err := c.TenantBySlug(ctx, name)
	if err != nil || found {
		return id, err
	}
	return id, fmt.Errorf("there is no tenant with the slug or id %q", name)
}

// tenantNames finds the slugs of tenants. It keeps the last one, as the commands take
// one tenant after the other.
type tenantNames struct {
	ctx     context.Context
	queries *projections.Queries
	last    domain.TenantID
	slug    string
}

func newTenantNames(ctx context.Context, pools *pools) *tenantNames {
	return &tenantNames{ctx: ctx, queries: projections.NewQueries(pools.API, nil)}
}

// nameTimeout bounds the query of a name after the end of the context: the lines on
// what was interrupted have names too.
const nameTimeout = time.Second

// name is the tenant's slug; its id where the slug can't be read.
func (n *tenantNames) name(t domain.TenantID) string {
	switch {
	case t == domain.Platform:
		return platform
	case t == n.last:
		return n.slug
	}
	n.last, n.slug = t, t.String()
	ctx := n.ctx
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), nameTimeout)
		defer cancel()
	}
	if found, err := n.queries.Listed(ctx, domain.Operate(t)); err == nil && found.Tenant.Slug != "" {
		n.slug = found.Tenant.Slug
	}
	return n.slug
}
