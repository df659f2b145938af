package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/domain"
)

// settingsBody is a tenant as its owners see it.
type settingsBody struct {
	ID           domain.TenantID     `json:"id" format:"uuid"`
	Slug         string              `json:"slug"`
	Name         string              `json:"name"`
	Registration domain.Registration `json:"registration" enum:"open,closed"`
	DefaultRole  domain.Role         `json:"default_role" enum:"manager,member,viewer,auditor"`
	CreatedAt    time.Time           `json:"created_at"`
	UpdatedAt    time.Time           `json:"updated_at"`
	Version      int                 `json:"version"`
}

func renderSettings(t domain.Tenant) settingsBody {
	return settingsBody{
		ID: t.ID, Slug: t.Slug, Name: t.Name, Registration: t.Registration, DefaultRole: t.DefaultRole,
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, Version: t.Version,
	}
}

type editTenantBody struct {
	Name         Patch[string]              `json:"name,omitzero" minLength:"1" maxLength:"200"`
	Registration Patch[domain.Registration] `json:"registration,omitzero" enum:"open,closed" doc:"Whether anyone may join by themselves."`
	DefaultRole  Patch[domain.Role]         `json:"default_role,omitzero" enum:"manager,member,viewer,auditor" doc:"The role of those who join by themselves."`
}

func registerAdminTenant(s *Server) {
	registerScoped(s, operation{
		Method: http.MethodGet, Path: "/v1/admin/tenant", ID: "get-tenant", Tag: "admin", Action: domain.TenantRead,
		Summary: "The tenant's settings",
	}, s.getTenant)
	registerScoped(s, operation{
		Method: http.MethodPatch, Path: "/v1/admin/tenant", ID: "edit-tenant", Tag: "admin", Action: domain.TenantEdit,
		Summary: "Change the tenant's settings", Errors: commandErrors(),
	}, s.editTenant)
}

func (s *Server) getTenant(ctx context.Context, scope domain.Scope, _ *struct{}) (*read[settingsBody], error) {
	t, err := s.queries.Tenant(ctx, scope, s.fresh(scope))
	if err != nil {
		return nil, err
	}
	return &read[settingsBody]{ETag: etag(t.Version), Body: renderSettings(t)}, nil
}

func (s *Server) editTenant(ctx context.Context, scope domain.Scope, in *struct {
	IfMatch ifMatch `header:"If-Match"`
	Body    editTenantBody
}) (*changed[settingsBody], error) {
	done, err := s.commands.EditTenant(ctx, scope, origin(ctx), domain.EditTenant{
		IfMatch: in.IfMatch.IfMatch, Name: in.Body.Name.Edit(), Registration: in.Body.Registration.Edit(), DefaultRole: in.Body.DefaultRole.Edit(),
	})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, done.Seq)
	return &changed[settingsBody]{ETag: etag(done.State.Version), Seq: done.Seq, Body: renderSettings(done.State)}, nil
}
