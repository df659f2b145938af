package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/accounts"
	"docket/commands"
	"docket/domain"
)

// UserBody is a user as everyone sees themselves.
type UserBody struct {
	ID            domain.UserID `json:"id" format:"uuid"`
	Email         string        `json:"email"`
	EmailVerified bool          `json:"email_verified"`
	Name          string        `json:"name"`
	CreatedAt     time.Time     `json:"created_at"`
}

func renderUser(u domain.User) UserBody {
	return UserBody{ID: u.ID, Email: u.Email, EmailVerified: u.EmailVerified, Name: u.Name, CreatedAt: u.CreatedAt}
}

type newUserBody struct {
	Email     string `json:"email" format:"idn-email" maxLength:"254"`
	Password  string `json:"password" minLength:"8" maxLength:"128"`
	Name      string `json:"name" minLength:"1" maxLength:"200"`
	SetupCode string `json:"setup_code,omitzero" maxLength:"200" doc:"What serve printed: the first user of the default tenant needs it, unless they come straight from the machine itself."`
}

type loginBody struct {
	Email    string `json:"email" maxLength:"254"`
	Password string `json:"password" maxLength:"1024"`
}

type refreshBody struct {
	RefreshToken string `json:"refresh_token" maxLength:"200"`
}

// tokensBody is the answer to a login (RFC 6749, section 5.1).
type tokensBody struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type" enum:"Bearer"`
	ExpiresIn    int    `json:"expires_in" doc:"Seconds until the access token expires."`
	RefreshToken string `json:"refresh_token"`
}

func registerAuth(s *Server) {
	registerPublic(s, operation{
		Method: http.MethodPost, Path: "/v1/auth/register", ID: "register", Tag: "auth", Resolves: true,
		Summary: "Become a user and join the tenant", Status: http.StatusCreated,
		Description: "Makes a user who joins the resolved tenant with its default_role, if its registration is open. The first of the default tenant becomes its owner.",
		Errors:      []domain.Code{domain.CodeRegistrationClosed, domain.CodeSetupCodeRequired, domain.CodeEmailTaken},
	}, s.register)
	registerPublic(s, operation{
		Method: http.MethodPost, Path: "/v1/auth/login", ID: "login", Tag: "auth",
		Summary:     "Get an access token",
		Description: "A wrong password and an unknown address answer alike.",
		Errors:      []domain.Code{domain.CodeUnauthenticated},
	}, s.login)
	registerPublic(s, operation{
		Method: http.MethodPost, Path: "/v1/auth/refresh", ID: "refresh", Tag: "auth",
		Summary:     "Get the next access token",
		Description: "A refresh token is good for once. One that comes again ends its whole session.",
		Errors:      []domain.Code{domain.CodeUnauthenticated},
	}, s.refresh)
	registerUser(s, operation{
		Method: http.MethodPost, Path: "/v1/auth/logout", ID: "logout", Tag: "auth", Status: http.StatusNoContent,
		Summary: "End the session", Description: "Its tokens are refused from now on.",
	}, func(ctx context.Context, u domain.UserID, _ *struct{}) (*struct{}, error) {
		return nil, s.sessions.Logout(ctx, callerOf(ctx).identity.Session, u)
	})
}

func (s *Server) register(ctx context.Context, t domain.TenantID, in *struct {
	Visit
	Body newUserBody
}) (*struct {
	Seq  int64 `header:"Docket-Seq" doc:"The tenant's sequence number of the user's joining."`
	Body UserBody
}, error) {
	done, err := s.commands.Register(ctx, t, origin(ctx), commands.Registration{
		Email: in.Body.Email, Password: in.Body.Password, Name: in.Body.Name,
		Registrant: commands.Registrant{Local: in.local, SetupCode: in.Body.SetupCode},
	})
	if err != nil {
		return nil, err
	}
	s.positions.note(done.State.ID, t, done.Seq)
	return &struct {
		Seq  int64 `header:"Docket-Seq" doc:"The tenant's sequence number of the user's joining."`
		Body UserBody
	}{done.Seq, renderUser(done.State)}, nil
}

func (s *Server) login(ctx context.Context, _ domain.TenantID, in *struct{ Body loginBody }) (*plain[tokensBody], error) {
	session, err := s.sessions.Login(ctx, in.Body.Email, in.Body.Password, s.now())
	if err != nil {
		return nil, err
	}
	return s.answerTokens(session)
}

func (s *Server) refresh(ctx context.Context, _ domain.TenantID, in *struct{ Body refreshBody }) (*plain[tokensBody], error) {
	session, err := s.sessions.Refresh(ctx, in.Body.RefreshToken, s.now())
	if err != nil {
		return nil, err
	}
	return s.answerTokens(session)
}

func (s *Server) answerTokens(session accounts.Session) (*plain[tokensBody], error) {
	token, lifetime, err := s.tokens.issue(session.User, session.ID)
	if err != nil {
		return nil, err
	}
	return &plain[tokensBody]{tokensBody{
		AccessToken: token, TokenType: "Bearer", ExpiresIn: int(lifetime.Seconds()), RefreshToken: session.RefreshToken,
	}}, nil
}
