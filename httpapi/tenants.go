package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/commands"
	"docket/domain"
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
	registerUser(s, operation{
		Method: http.MethodPost, Path: "/v1/tenants", ID: "create-tenant", Tag: "tenants", Status: http.StatusCreated,
		Summary: "Make a tenant", Description: "The caller becomes its owner. It takes no registrations until an owner opens it.",
		Errors: []domain.Code{domain.CodeSlugTaken},
	}, s.createTenant)
	registerUser(s, operation{
		Method: http.MethodGet, Path: "/v1/tenants", ID: "list-tenants", Tag: "tenants", Summary: "The caller's tenants",
		Description: "In the order of joining.", Errors: []domain.Code{domain.CodeCursorInvalid},
	}, s.listTenants)
	registerUser(s, operation{
		Method: http.MethodPost, Path: "/v1/tenants/join", ID: "join-tenant", Tag: "tenants", Resolves: true, Status: http.StatusCreated,
		Summary: "Join a tenant that takes registrations",
		Errors: []domain.Code{domain.CodeRegistrationClosed, domain.CodeSetupCodeRequired, domain.CodeAlreadyMember,
			domain.CodeConcurrentUpdate, domain.CodeOutcomeUnknown},
	}, s.joinTenant)
}

func (s *Server) createTenant(ctx context.Context, u domain.UserID, in *struct{ Body newTenantBody }) (*made[tenantBody], error) {
	done, err := s.commands.CreateTenant(ctx, u, origin(ctx), commands.NewTenant{Name: in.Body.Name, Slug: in.Body.Slug})
	if err != nil {
		return nil, err
	}
	s.positions.note(u, done.State.ID, done.Seq)
	return &made[tenantBody]{
		Location: "/v1/tenants", ETag: etag(done.State.Version), Seq: done.Seq, Body: renderTenant(done.State, domain.Owner),
	}, nil
}

func (s *Server) listTenants(ctx context.Context, u domain.UserID, in *struct{ Paged }) (*plain[list[tenantBody]], error) {
	l := listing{Route: "list-tenants/" + u.String()}
	page, err := s.page(in.Paged, l)
	if err != nil {
		return nil, err
	}
	items, next, err := s.queries.Memberships(ctx, u, page, s.positions.all(u))
	if err != nil {
		return nil, err
	}
	return answerList(s, l, items, next, func(m projections.UserTenant) tenantBody { return renderTenant(m.Tenant, m.Role) })
}

func (s *Server) joinTenant(ctx context.Context, u domain.UserID, in *struct{ Visit }) (*changed[memberBody], error) {
	t := callerOf(ctx).tenant
	done, err := s.commands.Join(ctx, t, u, origin(ctx), commands.Registrant{Local: in.local})
	if err != nil {
		return nil, err
	}
	s.positions.note(u, t, done.Seq)
	return &changed[memberBody]{ETag: etag(done.State.Version), Seq: done.Seq, Body: renderMember(done.State)}, nil
}
