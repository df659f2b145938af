package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// memberBody is a member of the tenant.
type memberBody struct {
	UserID   domain.UserID `json:"user_id" format:"uuid"`
	Email    string        `json:"email"`
	Verified bool          `json:"email_verified" doc:"As of now, also with as_of."`
	Name     string        `json:"name"`
	Role     domain.Role   `json:"role" enum:"owner,manager,member,viewer,auditor"`
	JoinedAt time.Time     `json:"joined_at"`
	Version  int           `json:"version"`
}

func renderMember(m domain.Membership, verified bool) memberBody {
	return memberBody{UserID: m.UserID, Email: m.Email, Verified: verified, Name: m.Name, Role: m.Role, JoinedAt: m.JoinedAt, Version: m.Version}
}

type addMemberBody struct {
	Email string      `json:"email" maxLength:"254" example:"ann@example.org" doc:"Of a registered user."`
	Role  domain.Role `json:"role" enum:"owner,manager,member,viewer,auditor"`
}

type editMemberBody struct {
	Role edge.Patch[domain.Role] `json:"role,omitzero" enum:"owner,manager,member,viewer,auditor"`
}

type MemberFilter struct {
	Role  edge.Values[domain.Role] `query:"role" enum:"owner,manager,member,viewer,auditor"`
	Query edge.Filter[string]      `query:"q" minLength:"1" maxLength:"254" doc:"How the name or the address begins; case doesn't count."`
}

func (f MemberFilter) query() projections.MemberFilter {
	return projections.MemberFilter{Roles: sortedIn(domain.Roles(), f.Role.List()), Prefix: f.Query.Ptr()}
}

type MemberInput struct {
	UserID  domain.UserID `path:"user_id" format:"uuid"`
	IfMatch edge.IfMatch  `header:"If-Match"`
}

func registerMembers(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/members", ID: "list-members", Tag: "members", Action: domain.MemberRead,
		Summary: "The tenant's members", Description: "By joined_at. Several roles are separated by commas.", Errors: []domain.Code{domain.CodeCursorInvalid},
	}, s.listMembers)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/members", ID: "add-member", Tag: "members", Action: domain.MemberAdd,
		Status: http.StatusCreated, Summary: "Add a registered user", Description: "The user is a member at once, without an invitation.",
		Errors: commandErrors(domain.CodeAlreadyMember),
	}, s.addMember)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPatch, Path: "/v1/members/{user_id}", ID: "change-member", Tag: "members", Action: domain.MemberChange,
		Summary: "Change a member's role", Description: "The new role counts from the next request on.", Errors: commandErrors(domain.CodeLastOwner),
	}, s.changeMember)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodDelete, Path: "/v1/members/{user_id}", ID: "remove-member", Tag: "members", Action: domain.MemberRemove,
		Summary: "Remove a member, or leave", Description: "Owners may remove members; every member may leave. Tasks and comments of the member stay.", Errors: commandErrors(domain.CodeLastOwner),
	}, s.removeMember)
}

// commandErrors are the refusals of every command, and more.
func commandErrors(more ...domain.Code) []domain.Code {
	return append(more, domain.CodeConcurrentUpdate, domain.CodeOutcomeUnknown)
}

func (s *Server) listMembers(ctx context.Context, scope domain.Scope, in *struct {
	edge.Paged
	AsOfInput
	MemberFilter
}) (*asOfList[memberBody], error) {
	filter := in.MemberFilter.query()
	l := edge.Listing{Tenant: scope.Tenant(), Route: "list-members", Filters: filter, AsOf: in.AsOf}
	page, at, err := s.asOfPage(ctx, scope, in.Paged, in.AsOfInput, l)
	if err != nil {
		return nil, err
	}
	var (
		items []domain.Membership
		next  *projections.Keyset
	)
	if at != nil {
		items, next, err = s.queries.MembersAsOf(ctx, scope, filter, page, *at)
	} else {
		items, next, err = s.queries.Members(ctx, scope, filter, page, s.fresh(scope, in.Positioned))
	}
	if err != nil {
		return nil, err
	}
	verified, err := s.mailboxes.Verified(ctx, userIDs(items)...)
	if err != nil {
		return nil, err
	}
	return asOfListResponse(s, l, at, items, next, func(m domain.Membership) memberBody { return renderMember(m, verified[m.UserID]) })
}

func (s *Server) addMember(ctx context.Context, scope domain.Scope, in *struct{ Body addMemberBody }) (*created[memberBody], error) {
	// Before the command: what fails after it would hide that it was done.
	user, _, err := s.commands.UserByEmail(ctx, in.Body.Email)
	if err != nil {
		return nil, err
	}
	verified, err := s.isVerified(ctx, user)
	if err != nil {
		return nil, err
	}
	result, err := s.commands.AddMember(ctx, scope, edge.Origin(ctx), in.Body.Email, in.Body.Role)
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &created[memberBody]{
		Location: "/v1/members/" + result.State.UserID.String(), ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderMember(result.State, verified),
	}, nil
}

func (s *Server) changeMember(ctx context.Context, scope domain.Scope, in *struct {
	MemberInput
	Body editMemberBody
}) (*updated[memberBody], error) {
	verified, err := s.isVerified(ctx, in.UserID)
	if err != nil {
		return nil, err
	}
	result, err := s.commands.ChangeRole(ctx, scope, edge.Origin(ctx), in.UserID, domain.ChangeRole{
		IfMatch: in.IfMatch.IfMatch, Role: in.Body.Role.Edit(),
	})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &updated[memberBody]{ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderMember(result.State, verified)}, nil
}

func (s *Server) removeMember(ctx context.Context, scope domain.Scope, in *MemberInput) (*deleted, error) {
	result, err := s.commands.RemoveMember(ctx, scope, edge.Origin(ctx), in.UserID, domain.RemoveMember{IfMatch: in.IfMatch.IfMatch})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &deleted{Seq: result.Seq}, nil
}

func userIDs(list []domain.Membership) (ids []domain.UserID) {
	for _, m := range list {
		ids = append(ids, m.UserID)
	}
	return ids
}
