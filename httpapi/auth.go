package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/accounts"
	"docket/commands"
	"docket/domain"
	"docket/httpapi/edge"
)

// UserBody is a user as that user sees it.
type UserBody struct {
	ID            domain.UserID `json:"id" format:"uuid"`
	Email         string        `json:"email"`
	EmailVerified bool          `json:"email_verified"`
	Name          string        `json:"name"`
	CreatedAt     time.Time     `json:"created_at"`
}

func renderUser(u domain.User, verified bool) UserBody {
	return UserBody{ID: u.ID, Email: u.Email, EmailVerified: verified, Name: u.Name, CreatedAt: u.CreatedAt}
}

type newUserBody struct {
	Email     string `json:"email" format:"idn-email" maxLength:"254" example:"ann@example.org"`
	Password  string `json:"password" minLength:"8" maxLength:"128"`
	Name      string `json:"name" minLength:"1" maxLength:"200"`
	SetupCode string `json:"setup_code,omitzero" maxLength:"200" doc:"The code that serve prints. The first user of the default tenant needs it, unless the request comes directly from the same machine."`
}

type credentialsBody struct {
	Email    string `json:"email" maxLength:"254" example:"ann@example.org"`
	Password string `json:"password" maxLength:"1024"`
}

type refreshRequestBody struct {
	RefreshToken string `json:"refresh_token" maxLength:"200"`
}

// sessionTokensBody is the response to a login (RFC 6749, section 5.1).
type sessionTokensBody struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type" enum:"Bearer"`
	ExpiresIn    int    `json:"expires_in" doc:"Seconds until the access token expires."`
	RefreshToken string `json:"refresh_token"`
}

func registerAuth(s *Server) {
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/auth/register", ID: "register", Tag: "auth", Resolves: true,
		Summary: "Register a user in the tenant", Status: http.StatusCreated,
		Description: "Creates a user who joins the resolved tenant with its default_role, if its registration is open. The first user of the default tenant becomes its owner. The operator decides who may register at all: unless told otherwise, only whoever is on the same machine.",
		Errors:      []domain.Code{domain.CodeRegistrationClosed, domain.CodeSetupCodeRequired, domain.CodeEmailTaken},
	}, s.register)
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/auth/login", ID: "login", Tag: "auth",
		Summary:     "Get an access token",
		Description: "A wrong password and an unknown address get the same answer.",
		Errors:      []domain.Code{domain.CodeUnauthenticated, domain.CodeOutcomeUnknown},
	}, s.login)
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/auth/refresh", ID: "refresh", Tag: "auth",
		Summary:     "Get the next access token",
		Description: "A refresh token is valid once. Within 10 seconds of its use it gets the same successor again, as after outcome-unknown. Using it later ends its session.",
		Errors:      []domain.Code{domain.CodeUnauthenticated, domain.CodeOutcomeUnknown},
	}, s.refresh)
	edge.RegisterUser(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/auth/logout", ID: "logout", Tag: "auth", Status: http.StatusNoContent,
		Summary: "End the session", Description: "Its tokens are no longer valid.",
		Errors: []domain.Code{domain.CodeOutcomeUnknown},
	}, func(ctx context.Context, u domain.UserID, _ *struct{}) (*struct{}, error) {
		return nil, s.sessions.Logout(ctx, edge.CallerOf(ctx).Identity.Session, u)
	})
}

func (s *Server) register(ctx context.Context, t domain.TenantID, in *struct {
	edge.Loopback
	Body newUserBody
}) (*struct {
	Seq  int64 `header:"Docket-Seq" doc:"The tenant's sequence number of the command's last event; where nothing changed, of the resource's last."`
	Body UserBody
}, error) {
	from := edge.Network(edge.CallerOf(ctx).Address)
	if err := s.signIns.Register(ctx, from); err != nil {
		return nil, err
	}
	result, err := s.commands.Register(ctx, t, edge.Origin(ctx), commands.Registration{
		Email: in.Body.Email, Password: in.Body.Password, Name: in.Body.Name,
		Registrant: commands.Registrant{Local: in.Local(), SetupCode: in.Body.SetupCode},
	})
	if err != nil {
		return nil, err
	}
	s.signIns.Registered(ctx, in.Body.Email, from)
	s.positions.Acknowledge(result.State.ID, t, result.Seq)
	return &struct {
		Seq  int64 `header:"Docket-Seq" doc:"The tenant's sequence number of the command's last event; where nothing changed, of the resource's last."`
		Body UserBody
	}{result.Seq, renderUser(result.State, false)}, nil
}

func (s *Server) login(ctx context.Context, _ domain.TenantID, in *struct{ Body credentialsBody }) (*plain[sessionTokensBody], error) {
	session, err := s.sessions.Login(ctx, in.Body.Email, in.Body.Password, edge.Network(edge.CallerOf(ctx).Address), s.now())
	if err != nil {
		return nil, err
	}
	return s.tokensResponse(session)
}

func (s *Server) refresh(ctx context.Context, _ domain.TenantID, in *struct{ Body refreshRequestBody }) (*plain[sessionTokensBody], error) {
	from := edge.Network(edge.CallerOf(ctx).Address)
	if err := s.signIns.MayRefresh(from); err != nil {
		return nil, err
	}
	session, err := s.sessions.Refresh(ctx, in.Body.RefreshToken, s.now())
	if domain.CodeOf(err) == domain.CodeUnauthenticated {
		s.signIns.RefreshFailed(ctx, from)
	}
	if err != nil {
		return nil, err
	}
	return s.tokensResponse(session)
}

func (s *Server) tokensResponse(session accounts.Session) (*plain[sessionTokensBody], error) {
	token, lifetime, err := s.tokens.Issue(session.User, session.ID)
	if err != nil {
		return nil, err
	}
	return &plain[sessionTokensBody]{sessionTokensBody{
		AccessToken: token, TokenType: "Bearer", ExpiresIn: int(lifetime.Seconds()), RefreshToken: session.RefreshToken,
	}}, nil
}
