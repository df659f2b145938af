package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/commands"
	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// tenantBody is a tenant as its members see it; role is the caller's.
type tenantBody struct {
	ID        domain.TenantID `json:"id" format:"uuid"`
	Slug      string          `json:"slug"`
	Name      string          `json:"name"`
	Role      domain.Role     `json:"role" enum:"owner,manager,member,viewer,auditor"`
	CreatedAt time.Time       `json:"created_at"`
	Version   int             `json:"version"`
}

func renderTenant(t domain.Tenant, role domain.Role) tenantBody {
	return tenantBody{ID: t.ID, Slug: t.Slug, Name: t.Name, Role: role, CreatedAt: t.CreatedAt, Version: t.Version}
}

type newTenantBody struct {
	Name string `json:"name" minLength:"1" maxLength:"200"`
	Slug string `json:"slug" minLength:"2" maxLength:"40" pattern:"^[a-z0-9][a-z0-9-]*[a-z0-9]$" patternDescription:"a slug (a-z and 0-9, hyphens inside)"`
}

func registerTenants(s *Server) {
	edge.RegisterUser(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/tenants", ID: "create-tenant", Tag: "tenants", Status: http.StatusCreated,
		Summary: "Create a tenant", Description: "The caller becomes its owner. Its registration is closed until an owner opens it. The operator decides whether users create tenants, and how many.",
		Errors: []domain.Code{domain.CodeRegistrationClosed, domain.CodeSlugTaken},
	}, s.createTenant)
	edge.RegisterUser(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/tenants", ID: "list-tenants", Tag: "tenants", Summary: "The caller's tenants",
		Description: "In the order of joining.", Errors: []domain.Code{domain.CodeCursorInvalid},
	}, s.listTenants)
	edge.RegisterUser(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/tenants/join", ID: "join-tenant", Tag: "tenants", Resolves: true, Status: http.StatusCreated,
		Summary:     "Join a tenant that takes registrations",
		Description: "The role is the tenant's default_role. A former member comes back with the lower of it and the last role, and not at all after an owner has removed them.",
		Errors: []domain.Code{domain.CodeRegistrationClosed, domain.CodeSetupCodeRequired, domain.CodeTenantAccessDenied, domain.CodeAlreadyMember,
			domain.CodeConcurrentUpdate, domain.CodeOutcomeUnknown},
	}, s.joinTenant)
}

func (s *Server) createTenant(ctx context.Context, u domain.UserID, in *struct{ Body newTenantBody }) (*created[tenantBody], error) {
	result, err := s.commands.CreateTenant(ctx, u, edge.Origin(ctx), commands.NewTenant{Name: in.Body.Name, Slug: in.Body.Slug})
	if err != nil {
		return nil, err
	}
	s.positions.Acknowledge(u, result.State.ID, result.Seq)
	return &created[tenantBody]{
		Location: "/v1/tenants", ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderTenant(result.State, domain.Owner),
	}, nil
}

func (s *Server) listTenants(ctx context.Context, u domain.UserID, in *struct{ edge.Paged }) (*plain[edge.List[tenantBody]], error) {
	l := edge.Listing{Route: "list-tenants/" + u.String()}
	page, err := s.page(in.Paged, l)
	if err != nil {
		return nil, err
	}
	items, next, err := s.queries.Memberships(ctx, u, page, s.positions.All(u))
	if err != nil {
		return nil, err
	}
	return listResponse(s, l, items, next, func(m projections.UserTenant) tenantBody { return renderTenant(m.Tenant, m.Role) })
}

func (s *Server) joinTenant(ctx context.Context, u domain.UserID, in *struct{ edge.Loopback }) (*updated[memberBody], error) {
	t := edge.CallerOf(ctx).Tenant
	verified, err := s.isVerified(ctx, u)
	if err != nil {
		return nil, err
	}
	result, err := s.commands.Join(ctx, t, u, edge.Origin(ctx), commands.Registrant{Local: in.Local()})
	if err != nil {
		return nil, err
	}
	s.positions.Acknowledge(u, t, result.Seq)
	return &updated[memberBody]{ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderMember(result.State, verified)}, nil
}
