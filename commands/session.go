package commands

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SessionLifetime is how long a session lasts that is refreshed; then the
// password is asked for again.
const SessionLifetime = 30 * 24 * time.Hour

// refreshTokenBytes is the randomness of a refresh token.
const refreshTokenBytes = 32

// beginSessionSQL begins a session ($1 id, $2 user, $3 expiry).
const beginSessionSQL = `insert into sessions (id, user_id, expires_at) values ($1, $2, $3)`

// addTokenSQL adds a refresh token ($1 SHA-256, $2 session).
const addTokenSQL = `insert into refresh_tokens (token_hash, session_id) values ($1, $2)`

// Sessions are the logins of users. A refresh token is known here only by its
// SHA-256.
type Sessions struct {
	pool *pgxpool.Pool
	cmds *Commands
}

// NewSessions makes Sessions over a pool of the engine role.
func NewSessions(pool *pgxpool.Pool, cmds *Commands) *Sessions {
	return &Sessions{pool: pool, cmds: cmds}
}

// Session is a login.
type Session struct {
	ID   uuid.UUID
	User domain.UserID
	// RefreshToken is shown this once.
	RefreshToken string
	ExpiresAt    time.Time
}

// Login begins a session. A wrong password and an unknown address are the same
// CodeUnauthenticated, after the same work. now is the time of the login.
func (s *Sessions) Login(ctx context.Context, email, password string, now time.Time) (Session, error) {
	user, found, err := s.cmds.userByEmail(ctx, email)
	if err != nil {
		return Session{}, err
	}
	ok, err := s.cmds.credentials.verify(ctx, user, found, password)
	if err != nil {
		return Session{}, err
	}
	if !ok {
		return Session{}, domain.Refuse(domain.CodeUnauthenticated, "the e-mail address or the password is wrong")
	}
	return s.begin(ctx, user, now)
}

func (s *Sessions) begin(ctx context.Context, user domain.UserID, now time.Time) (Session, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Session{}, fmt.Errorf("new session: %w", err)
	}
	token, hash := newRefreshToken()
	session := Session{ID: id, User: user, RefreshToken: token, ExpiresAt: now.Add(SessionLifetime)}
	b := &pgx.Batch{} // one implicit transaction
	b.Queue(beginSessionSQL, id, user.UUID(), session.ExpiresAt)
	b.Queue(addTokenSQL, hash, id)
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return Session{}, fmt.Errorf("begin session: %w", err)
	}
	return session, nil
}

func newRefreshToken() (token string, hash []byte) {
	var raw [refreshTokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails; it ends the program where there is no randomness
	token = base64.RawURLEncoding.EncodeToString(raw[:])
	sum := sha256.Sum256([]byte(token))
	return token, sum[:]
}
