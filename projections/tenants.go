package projections

import (
	"context"
	"slices"
	"time"

	"docket/domain"

	"github.com/google/uuid"
)

// tenants is the read model of a tenant itself: one row.
var tenants = define(model[uuid.UUID, domain.Tenant]{
	Name: "tenants", FoldVersion: 1, Table: "tenants",
	Keys:    streamKeys(tenantEvents),
	Creates: []string{"tenant.created"},
	Ignores: slices.Concat(userEvents, memberEvents, projectEvents, taskEvents, commentEvents, apiKeyEvents, subscriptionEvents),
	Fold:    byEvolve(domain.Tenant.Evolve, func(domain.Tenant) bool { return true }),
	Key:     "id", KeyOf: func(t *domain.Tenant) uuid.UUID { return t.ID.UUID() },
	Columns: []column[domain.Tenant]{
		id("id", func(t *domain.Tenant) *domain.TenantID { return &t.ID }),
		text("slug", func(t *domain.Tenant) *string { return &t.Slug }),
		text("name", func(t *domain.Tenant) *string { return &t.Name }),
		text("registration", func(t *domain.Tenant) *domain.Registration { return &t.Registration }),
		text("default_role", func(t *domain.Tenant) *domain.Role { return &t.DefaultRole }),
		text("channel", func(t *domain.Tenant) *domain.Channel { return &t.Channel }),
		optionalText("email_from", func(t *domain.Tenant) **string { return &t.EmailFrom }),
		optionalID("slack_webhook", func(t *domain.Tenant) **domain.SecretID { return &t.SlackWebhook }),
		plain("four_eyes", "boolean", func(t *domain.Tenant) *bool { return &t.FourEyes }),
		plain("require_verified_email", "boolean", func(t *domain.Tenant) *bool { return &t.RequireVerifiedEmail }),
		plain("awaits_founder", "boolean", func(t *domain.Tenant) *bool { return &t.AwaitsFounder }),
		instant("created_at", func(t *domain.Tenant) *time.Time { return &t.CreatedAt }),
		instant("updated_at", func(t *domain.Tenant) *time.Time { return &t.UpdatedAt }),
		plain("version", "integer", func(t *domain.Tenant) *int { return &t.Version }),
	},
})

// tenantSQL reads a tenant ($1).
var tenantSQL = `select ` + tenants.columns("t.") + ` from tenants t
where t.tenant_id = $1 and t.id = $1
  and t.generation = ` + tenants.generation("$1")

// Tenant reads the scope's tenant. The scope proves that there is one: where the
// read model has no row yet, the error is domain.CodeReadModelLagging.
func (q *Queries) Tenant(ctx context.Context, s domain.Scope, f Fresh) (domain.Tenant, error) {
	if err := q.await(ctx, s, f, tenants.Name); err != nil {
		return domain.Tenant{}, err
	}
	t, err := one(ctx, q, s, "tenant", tenants.scan(s.Tenant()), tenantSQL, s.Tenant().UUID())
	if domain.CodeOf(err) == domain.CodeNotFound {
		return t, domain.Refuse(domain.CodeReadModelLagging, "the tenant is too new to be read")
	}
	return t, err
}
