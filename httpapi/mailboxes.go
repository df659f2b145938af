package httpapi

import (
	"context"
	"net/http"

	"docket/domain"
	"docket/httpapi/edge"
)

type mailTokenBody struct {
	Token string `json:"token" maxLength:"200" doc:"From the link of the mail, behind #token=."`
}

type forgotPasswordBody struct {
	Email string `json:"email" maxLength:"254" example:"ann@example.org"`
}

type resetPasswordBody struct {
	Token    string `json:"token" maxLength:"200" doc:"From the link of the mail, behind #token=."`
	Password string `json:"password" minLength:"8" maxLength:"128"`
}

func registerMailboxes(s *Server) {
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/auth/verify", ID: "verify-email", Tag: "auth", Status: http.StatusNoContent,
		Summary: "Verify an e-mail address", Description: "A token is valid once, for 24 hours.",
		Errors: []domain.Code{domain.CodeOutcomeUnknown},
	}, func(ctx context.Context, _ domain.TenantID, in *struct{ Body mailTokenBody }) (*struct{}, error) {
		return nil, s.mailboxes.Verify(ctx, in.Body.Token, edge.Network(edge.CallerOf(ctx).Address))
	})
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/auth/password/forgot", ID: "forgot-password", Tag: "auth", Status: http.StatusAccepted,
		Summary: "Ask for a mail that resets the password", Description: "The answer is the same whether or not there is such a user.",
	}, func(ctx context.Context, _ domain.TenantID, in *struct{ Body forgotPasswordBody }) (*struct{}, error) {
		return nil, s.mailboxes.AskReset(ctx, in.Body.Email, edge.Network(edge.CallerOf(ctx).Address))
	})
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/auth/password/reset", ID: "reset-password", Tag: "auth", Status: http.StatusNoContent,
		Summary: "Reset the password", Description: "A token is valid once, for 30 minutes. All sessions end.",
		Errors: []domain.Code{domain.CodeOutcomeUnknown},
	}, func(ctx context.Context, _ domain.TenantID, in *struct{ Body resetPasswordBody }) (*struct{}, error) {
		return nil, s.mailboxes.Reset(ctx, in.Body.Token, in.Body.Password, edge.Network(edge.CallerOf(ctx).Address))
	})
	edge.RegisterUser(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/me/verification", ID: "ask-verification", Tag: "me", Status: http.StatusAccepted,
		Summary: "Ask for a mail that verifies the address", Description: "At most one is sent a minute, and none for a verified address.", WithoutKey: true,
	}, func(ctx context.Context, u domain.UserID, _ *struct{}) (*struct{}, error) {
		user, err := s.commands.User(ctx, u)
		if err != nil {
			return nil, err
		}
		return nil, s.mailboxes.AskVerification(ctx, u, user.Email)
	})
}

// isVerified reports whether a user's address is verified.
func (s *Server) isVerified(ctx context.Context, u domain.UserID) (bool, error) {
	verified, err := s.mailboxes.Verified(ctx, u)
	return verified[u], err
}
