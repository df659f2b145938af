package httpapi

import (
	"context"
	"net/http"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// currentUserBody is the caller, whatever the tenant.
type currentUserBody struct {
	UserBody
	Memberships []membershipBody `json:"memberships" doc:"In the order of joining, up to 1,000; all of them are in /v1/tenants."`
}

type membershipBody struct {
	TenantID domain.TenantID `json:"tenant_id" format:"uuid"`
	Slug     string          `json:"slug"`
	Name     string          `json:"name"`
	Role     domain.Role     `json:"role" enum:"owner,manager,member,viewer,auditor"`
}

func registerMe(s *Server) {
	edge.RegisterUser(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/me", ID: "get-me", Tag: "me", Summary: "The caller", Description: "The user and their memberships.",
	}, s.me)
	edge.RegisterUser(s.router, edge.Operation{
		Method: http.MethodPatch, Path: "/v1/me", ID: "edit-me", Tag: "me", Summary: "Change the caller's name",
		Description: "The new name reaches the members of each of the user's tenants soon after.",
		Errors:      commandErrors(),
	}, s.editMe)
}

type editMeBody struct {
	Name edge.Patch[string] `json:"name,omitzero" minLength:"1" maxLength:"200"`
}

func (s *Server) me(ctx context.Context, u domain.UserID, _ *struct{}) (*plain[currentUserBody], error) {
	who, err := s.commands.User(ctx, u)
	if err != nil {
		return nil, err
	}
	verified, err := s.isVerified(ctx, u)
	if err != nil {
		return nil, err
	}
	memberships, err := s.membershipsOf(ctx, u)
	if err != nil {
		return nil, err
	}
	return &plain[currentUserBody]{currentUserBody{UserBody: renderUser(who, verified), Memberships: memberships}}, nil
}

// editMe answers with the memberships as of before the command, which doesn't change
// them, so that the idempotency record can include them.
func (s *Server) editMe(ctx context.Context, u domain.UserID, in *struct{ Body editMeBody }) (*plain[currentUserBody], error) {
	memberships, err := edge.Recorded(ctx, func() ([]membershipBody, error) { return s.membershipsOf(ctx, u) })
	if err != nil {
		return nil, err
	}
	verified, err := s.isVerified(ctx, u)
	if err != nil {
		return nil, err
	}
	result, err := s.commands.Rename(ctx, u, edge.Origin(ctx), domain.RenameUser{Name: in.Body.Name.Edit()})
	if err != nil {
		return nil, err
	}
	return &plain[currentUserBody]{currentUserBody{UserBody: renderUser(result.State, verified), Memberships: memberships}}, nil
}

func (s *Server) membershipsOf(ctx context.Context, u domain.UserID) ([]membershipBody, error) {
	list, _, err := s.queries.Memberships(ctx, u, projections.Page{Limit: projections.MaxLimit}, s.positions.All(u))
	if err != nil {
		return nil, err
	}
	bodies := []membershipBody{}
	for _, m := range list {
		bodies = append(bodies, membershipBody{TenantID: m.Tenant.ID, Slug: m.Tenant.Slug, Name: m.Tenant.Name, Role: m.Role})
	}
	return bodies, nil
}
