package main

import (
	"context"
	"fmt"

	"docket/commands"
	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
)

// sqlSlugs lists the tenants by their slugs ($1 the platform's log, $2 the kind
// of claim).
const sqlSlugs = `select holder, value from claims where tenant_id = $1 and kind = $2`

// tenantNames are the names by which an operator knows the tenants.
func tenantNames(ctx context.Context, p *pools) (map[domain.TenantID]string, error) {
	rows, err := p.Engine.Query(ctx, sqlSlugs, domain.Platform.UUID(), string(eventstore.ClaimSlug))
	if err != nil {
		return nil, fmt.Errorf("list tenants: %w", err)
	}
	defer rows.Close()
	names := map[domain.TenantID]string{domain.Platform: "(platform)"}
	for rows.Next() {
		var (
			id   uuid.UUID
			slug string
		)
		if err := rows.Scan(&id, &slug); err != nil {
			return nil, fmt.Errorf("list tenants: %w", err)
		}
		names[domain.TenantID(id)] = slug
	}
	return names, rows.Err()
}

// findTenant finds a tenant by what an operator calls it: its id, or its slug. The
// nil UUID is the platform, whose log has the users.
func findTenant(ctx context.Context, p *pools, name string) (domain.TenantID, error) {
	if id, err := domain.ParseID[any](name); err == nil && domain.TenantID(id) == domain.Platform {
		return domain.Platform, nil
	}
	c, err := commands.New(commands.Config{Store: eventstore.New(p.Engine, p.API, nil)})
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
