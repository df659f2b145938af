package commands

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SessionLifetime is how long a session lasts that is refreshed; then the
// password is asked for again.
const SessionLifetime = 30 * 24 * time.Hour

// refreshTokenBytes is the randomness of a refresh token.
const refreshTokenBytes = 32

// endSessionsSQL drops the sessions of a user ($1) that were over at a time ($2),
// and their tokens with them.
const endSessionsSQL = `delete from sessions where user_id = $1 and expires_at < $2`

// beginSessionSQL begins a session ($1 id, $2 user, $3 expiry).
const beginSessionSQL = `insert into sessions (id, user_id, expires_at) values ($1, $2, $3)`

// addTokenSQL adds a refresh token ($1 SHA-256, $2 session).
const addTokenSQL = `insert into refresh_tokens (token_hash, session_id) values ($1, $2)`

// useTokenSQL uses a refresh token ($1 SHA-256) of a session that lives at a
// time ($2), and gives the session the next one ($3 SHA-256). Of several who
// come with one token the row's lock lets one through.
const useTokenSQL = `with used as (
  update refresh_tokens t set used_at = $2 from sessions s
  where t.token_hash = $1 and t.used_at is null and s.id = t.session_id and s.revoked_at is null and s.expires_at > $2
  returning s.id, s.user_id, s.expires_at),
next as (insert into refresh_tokens (token_hash, session_id) select $3, id from used)
select id, user_id, expires_at from used`

// revokeFamilySQL revokes the session that a refresh token ($1 SHA-256) is of, and says which.
const revokeFamilySQL = `update sessions s set revoked_at = coalesce(s.revoked_at, now())
from refresh_tokens t where t.token_hash = $1 and s.id = t.session_id returning s.id`

// revokeSQL revokes a session ($1) of a user ($2).
const revokeSQL = `update sessions set revoked_at = coalesce(revoked_at, now()) where id = $1 and user_id = $2`

// aliveSQL says whether a session ($1) of a user ($2) is neither revoked nor over.
const aliveSQL = `select exists (select from sessions where id = $1 and user_id = $2 and revoked_at is null and expires_at > now())`

const (
	// aliveFor is how long a session counts as alive after it was looked up: so
	// long may another replica obey a session that was revoked here.
	aliveFor = time.Second
	// sessionsKept is how many sessions are remembered.
	sessionsKept = 50_000
)

// Sessions are the logins of users. A refresh token is known here only by its
// SHA-256.
type Sessions struct {
	pool  *pgxpool.Pool
	cmds  *Commands
	alive *lru.Cache[uuid.UUID, sighting]
}

// sighting is a session that was found alive.
type sighting struct {
	user domain.UserID
	at   time.Time
}

// NewSessions makes Sessions over a pool of the engine role.
func NewSessions(pool *pgxpool.Pool, cmds *Commands) *Sessions {
	alive, err := lru.New[uuid.UUID, sighting](sessionsKept)
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	return &Sessions{pool: pool, cmds: cmds, alive: alive}
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
	user, found, err := s.cmds.UserByEmail(ctx, email)
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
	b.Queue(endSessionsSQL, user.UUID(), now)
	b.Queue(beginSessionSQL, id, user.UUID(), session.ExpiresAt)
	b.Queue(addTokenSQL, hash, id)
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return Session{}, fmt.Errorf("begin session: %w", eventstore.Unreachable(err))
	}
	return session, nil
}

// Refresh gives a session its next refresh token, once per token: one that was
// used before was stolen from somebody, and as nobody can say from whom, the
// whole session is revoked. CodeUnauthenticated is for that and for any token
// that isn't of a living session.
func (s *Sessions) Refresh(ctx context.Context, token string, now time.Time) (Session, error) {
	refused := domain.Refuse(domain.CodeUnauthenticated, "the refresh token isn't valid")
	used := hashToken(token)
	next, hash := newRefreshToken()
	var user uuid.UUID
	session := Session{RefreshToken: next}
	err := s.pool.QueryRow(ctx, useTokenSQL, used, now, hash).Scan(&session.ID, &user, &session.ExpiresAt)
	if err == nil {
		session.User = domain.UserID(user)
		return session, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return Session{}, fmt.Errorf("use refresh token: %w", eventstore.Unreachable(err))
	}
	var revoked uuid.UUID
	err = s.pool.QueryRow(ctx, revokeFamilySQL, used).Scan(&revoked)
	switch {
	case err == nil:
		s.alive.Remove(revoked)
	case !errors.Is(err, pgx.ErrNoRows):
		return Session{}, fmt.Errorf("revoke session: %w", eventstore.Unreachable(err))
	}
	return Session{}, refused
}

// Logout revokes a session of a user. A replica that has just looked it up obeys
// its access token for a second more at the most.
func (s *Sessions) Logout(ctx context.Context, id uuid.UUID, u domain.UserID) error {
	s.alive.Remove(id)
	if _, err := s.pool.Exec(ctx, revokeSQL, id, u.UUID()); err != nil {
		return fmt.Errorf("revoke session: %w", eventstore.Unreachable(err))
	}
	s.alive.Remove(id) // looked up in between
	return nil
}

// Check is CodeUnauthenticated for a session that was revoked or is over.
func (s *Sessions) Check(ctx context.Context, id uuid.UUID, u domain.UserID) error {
	now := time.Now()
	if seen, ok := s.alive.Get(id); ok && seen.user == u && now.Sub(seen.at) < aliveFor {
		return nil
	}
	var alive bool
	if err := s.pool.QueryRow(ctx, aliveSQL, id, u.UUID()).Scan(&alive); err != nil {
		return fmt.Errorf("look up session: %w", eventstore.Unreachable(err))
	}
	if !alive {
		return domain.Refuse(domain.CodeUnauthenticated, "the session was ended")
	}
	s.alive.Add(id, sighting{u, now})
	return nil
}

func newRefreshToken() (token string, hash []byte) {
	var raw [refreshTokenBytes]byte
	_, _ = rand.Read(raw[:]) // never fails; it ends the program where there is no randomness
	token = base64.RawURLEncoding.EncodeToString(raw[:])
	return token, hashToken(token)
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
