package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/accounts"
	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"

	"github.com/google/uuid"
)

// sessionBody is a login of the caller.
type sessionBody struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at" doc:"When its tokens were last made."`
	ExpiresAt time.Time `json:"expires_at"`
	Current   bool      `json:"current" doc:"It is the one of this request."`
}

type newPasswordBody struct {
	CurrentPassword string `json:"current_password" maxLength:"1024"`
	NewPassword     string `json:"new_password" minLength:"8" maxLength:"128"`
}

func registerSessions(s *Server) {
	edge.RegisterUser(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/me/sessions", ID: "list-sessions", Tag: "me", Summary: "The caller's sessions",
		Description: "Those that are alive, the newest first.", Errors: []domain.Code{domain.CodeCursorInvalid},
	}, s.listSessions)
	edge.RegisterUser(s.router, edge.Operation{
		Method: http.MethodDelete, Path: "/v1/me/sessions/{id}", ID: "end-session", Tag: "me", Status: http.StatusNoContent,
		Summary: "End a session", Description: "Its tokens are no longer valid.", WithoutKey: true,
		Errors: []domain.Code{domain.CodeNotFound, domain.CodeOutcomeUnknown},
	}, s.endSession)
	edge.RegisterUser(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/me/password", ID: "change-password", Tag: "me", Status: http.StatusNoContent,
		Summary: "Change the password", Description: "All other sessions end.", WithoutKey: true,
		Errors: []domain.Code{domain.CodeConcurrentUpdate, domain.CodeOutcomeUnknown},
	}, s.changePassword)
}

func (s *Server) listSessions(ctx context.Context, u domain.UserID, in *struct{ edge.Paged }) (*plain[edge.List[sessionBody]], error) {
	l := edge.Listing{Route: "list-sessions/" + u.String()}
	page, err := s.page(in.Paged, l)
	if err != nil {
		return nil, err
	}
	before := uuid.Max
	if page.After != nil {
		before = page.After.ID
	}
	items, err := s.sessions.List(ctx, u, before, page.Limit+1)
	if err != nil {
		return nil, err
	}
	var next *projections.Keyset
	if len(items) > page.Limit {
		items = items[:page.Limit]
		next = &projections.Keyset{ID: items[page.Limit-1].ID}
	}
	current := edge.CallerOf(ctx).Identity.Session
	return listResponse(s, l, items, next, func(o accounts.OwnSession) sessionBody {
		return sessionBody{ID: o.ID, CreatedAt: o.CreatedAt, UsedAt: o.UsedAt, ExpiresAt: o.ExpiresAt, Current: o.ID == current}
	})
}

func (s *Server) endSession(ctx context.Context, u domain.UserID, in *struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}) (*struct{}, error) {
	return nil, s.sessions.End(ctx, in.ID, u)
}

func (s *Server) changePassword(ctx context.Context, u domain.UserID, in *struct{ Body newPasswordBody }) (*struct{}, error) {
	session := edge.CallerOf(ctx).Identity.Session
	return nil, s.sessions.ChangePassword(ctx, u, session, in.Body.CurrentPassword, in.Body.NewPassword)
}
