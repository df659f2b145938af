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

// tenantLine is a tenant as a machine reads it.
type tenantLine struct {
	ID           domain.TenantID     `json:"id"`
	Slug         string              `json:"slug"`
	Name         string              `json:"name"`
	Registration domain.Registration `json:"registration"`
	// AwaitsFounder: it has no owner yet; the first who registers becomes it.
	AwaitsFounder bool      `json:"awaits_founder"`
	CreatedAt     time.Time `json:"created_at"`
	Version       int       `json:"version"`
	// Events is how many its log has.
	Events int64 `json:"events"`
}

func lineOf(t domain.Tenant, events int64) tenantLine {
	return tenantLine{
		ID: t.ID, Slug: t.Slug, Name: t.Name, Registration: t.Registration, AwaitsFounder: t.AwaitsFounder,
		CreatedAt: t.CreatedAt.UTC(), Version: t.Version, Events: events,
	}
}

// commandsBeside are the commands for one who has no server: no session, no
// secret. A server that runs hears of what they append by its next sweep.
func commandsBeside(pools *pools) (*commands.Commands, error) {
	return commands.New(commands.Config{Store: eventstore.New(pools.Engine, pools.API, nil)})
}

// platform is what the platform, whose log has the users, is called. No slug has brackets.
const platform = "(platform)"

// findTenant finds a tenant by what an operator calls it: its id, or its slug. The
// platform is found by its name too, and by its id, the nil UUID.
func findTenant(ctx context.Context, p *pools, name string) (domain.TenantID, error) {
	if id, err := domain.ParseID[any](name); name == platform || err == nil && domain.TenantID(id) == domain.Platform {
		return domain.Platform, nil
	}
	c, err := commandsBeside(p)
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
	if err == nil && !found {
		err = fmt.Errorf("there is no tenant with the slug or id %q", name)
	}
	return id, err
}

// tenantNames finds the names by which an operator knows the tenants. It
// remembers the last one: who works through all of them takes one after the other.
type tenantNames struct {
	ctx     context.Context
	queries *projections.Queries
	last    domain.TenantID
	known   string
}

// nameAfter is how long a name is looked for once somebody has asked to stop: what was in
// hand then is told by its name too.
const nameAfter = time.Second

// name is the tenant's slug; its id where that can't be had.
func (n *tenantNames) name(t domain.TenantID) string {
	switch {
	case t == domain.Platform:
		return platform
	case t == n.last:
		return n.known
	}
	n.last, n.known = t, t.String()
	ctx := n.ctx
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), nameAfter)
		defer cancel()
	}
	if found, err := n.queries.Listed(ctx, domain.Operate(t)); err == nil && found.Tenant.Slug != "" {
		n.known = found.Tenant.Slug
	}
	return n.known
}
