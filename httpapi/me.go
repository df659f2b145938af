package httpapi

import (
	"context"
	"net/http"

	"docket/domain"
	"docket/projections"
)

// meBody is the caller, whatever the tenant.
type meBody struct {
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
	registerUser(s, operation{
		Method: http.MethodGet, Path: "/v1/me", ID: "get-me", Tag: "me", Summary: "Who am I",
	}, s.me)
	registerUser(s, operation{
		Method: http.MethodPatch, Path: "/v1/me", ID: "edit-me", Tag: "me", Summary: "Change one's name",
		Description: "The new name reaches the members of each of the user's tenants soon after.",
		Errors:      commandErrors(),
	}, s.editMe)
}

type editMeBody struct {
	Name Patch[string] `json:"name,omitzero" minLength:"1" maxLength:"200"`
}

func (s *Server) me(ctx context.Context, u domain.UserID, _ *struct{}) (*plain[meBody], error) {
	who, err := s.commands.User(ctx, u)
	if err != nil {
		return nil, err
	}
	return s.answerMe(ctx, who)
}

func (s *Server) editMe(ctx context.Context, u domain.UserID, in *struct{ Body editMeBody }) (*plain[meBody], error) {
	done, err := s.commands.Rename(ctx, u, origin(ctx), domain.RenameUser{Name: in.Body.Name.Edit()})
	if err != nil {
		return nil, err
	}
	return s.answerMe(ctx, done.State)
}

func (s *Server) answerMe(ctx context.Context, who domain.User) (*plain[meBody], error) {
	memberships, _, err := s.queries.Memberships(ctx, who.ID, projections.Page{Limit: projections.MaxLimit}, s.positions.all(who.ID))
	if err != nil {
		return nil, err
	}
	body := meBody{UserBody: renderUser(who), Memberships: []membershipBody{}}
	for _, m := range memberships {
		body.Memberships = append(body.Memberships, membershipBody{TenantID: m.Tenant.ID, Slug: m.Tenant.Slug, Name: m.Tenant.Name, Role: m.Role})
	}
	return &plain[meBody]{body}, nil
}
