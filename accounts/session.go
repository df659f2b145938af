package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SessionLifetime is how long a session can be refreshed; then the user logs in
// again.
const SessionLifetime = 30 * 24 * time.Hour

const (
	// checkedFor is how long the result of Check is cached: for so long another
	// replica may accept a session that was revoked here.
	checkedFor = time.Second
	// maxChecked is how many sessions the cache of Check holds.
	maxChecked = 50_000
)

// deleteExpiredSQL deletes the sessions of a user ($1) that expired before a time
// ($2), with their refresh tokens.
const deleteExpiredSQL = `delete from sessions where user_id = $1 and expires_at < $2`

// addSessionSQL adds a session ($1 id, $2 user, $3 expiry) with a refresh token ($4 SHA-256),
// unless the user's password hash isn't the one that was verified ($5) any more, or the account is disabled. The lock
// makes it wait for a change of the password that is under way, and such a change for it.
const addSessionSQL = `with verified as (select user_id from credentials where user_id = $2 and password_hash = $5 and disabled_at is null for share),
begun as (insert into sessions (id, user_id, expires_at) select $1, user_id, $3 from verified returning id)
insert into refresh_tokens (token_hash, session_id) select $4, id from begun`

// revokeSQL revokes a session ($1) of a user ($2).
const revokeSQL = `update sessions set revoked_at = coalesce(revoked_at, now()) where id = $1 and user_id = $2`

// aliveSQL returns whether a session ($1) of a user ($2) is neither revoked nor
// expired.
const aliveSQL = `select exists (select from sessions where id = $1 and user_id = $2 and revoked_at is null and expires_at > now())`

// Users finds users by e-mail address.
type Users interface {
	UserByEmail(ctx context.Context, email string) (id domain.UserID, found bool, err error)
}

// Sessions are the logins of users. Its methods may be called from any goroutine.
type Sessions struct {
	pool      *pgxpool.Pool
	passwords *Passwords
	users     Users
	signIns   *SignIns
	checked   *lru.Cache[uuid.UUID, checkedSession]
	// successorKey makes the successors of refresh tokens.
	successorKey []byte
}

// checkedSession is a session that was alive at a time.
type checkedSession struct {
	user domain.UserID
	at   time.Time
}

// NewSessions makes Sessions over a pool of the engine role. All replicas have the same
// master key. A nil SignIns limits no logins.
func NewSessions(pool *pgxpool.Pool, passwords *Passwords, users Users, signIns *SignIns, masterKey []byte) *Sessions {
	checked, err := lru.New[uuid.UUID, checkedSession](maxChecked)
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	return &Sessions{pool: pool, passwords: passwords, users: users, signIns: signIns, checked: checked, successorKey: successorKey(masterKey)}
}

// Session is a login.
type Session struct {
	ID   uuid.UUID
	User domain.UserID
	// RefreshToken cannot be read from the database: only its hash is stored.
	RefreshToken string
	ExpiresAt    time.Time
}

// Login starts a session. A wrong password and an unknown address are the same
// CodeUnauthenticated, after the same work; too many of them are CodeRateLimited, before
// anything is hashed. from is the client's network, now the time of the login.
func (s *Sessions) Login(ctx context.Context, email, password string, from netip.Prefix, now time.Time) (Session, error) {
	a, err := s.signIns.begin(ctx, email, from)
	if err != nil {
		return Session{}, err
	}
	var hashed, ok bool
	defer func() { a.end(ctx, hashed, ok) }()
	user, found, err := s.users.UserByEmail(ctx, email)
	if err != nil {
		return Session{}, err
	}
	hash, right, err := s.passwords.verify(ctx, a.client, user, found, password)
	hashed, ok = hash != "", right
	if err != nil {
		return Session{}, err
	}
	if !ok {
		return Session{}, wrongCredentials()
	}
	session, err := s.start(ctx, user, hash, now)
	if err == nil {
		s.passwords.renew(ctx, user, password, hash)
	}
	return session, err
}

func wrongCredentials() error {
	return domain.Refuse(domain.CodeUnauthenticated, "the e-mail address or the password is wrong")
}

// start starts the session of a user whose password of this hash was verified.
func (s *Sessions) start(ctx context.Context, user domain.UserID, verified string, now time.Time) (Session, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Session{}, fmt.Errorf("new session: %w", err)
	}
	token, hash := newSecretToken()
	session := Session{ID: id, User: user, RefreshToken: token, ExpiresAt: now.Add(SessionLifetime)}
	begun := false
	b := &pgx.Batch{} // one implicit transaction
	b.Queue(deleteExpiredSQL, user.UUID(), now)
	b.Queue(addSessionSQL, id, user.UUID(), session.ExpiresAt, hash, verified).Exec(func(tag pgconn.CommandTag) error {
		begun = tag.RowsAffected() == 1
		return nil
	})
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return Session{}, fmt.Errorf("start session: %w", eventstore.Unacknowledged(err))
	}
	if !begun { // the password was changed meanwhile
		return Session{}, wrongCredentials()
	}
	return session, nil
}

// Refresh exchanges a refresh token for the session's next one. Within RefreshGrace of
// its use a used token gets the same next one again. After that it has two holders, one
// of whom stole it, so Refresh revokes the whole session. CodeUnauthenticated is for that
// and for every token that doesn't belong to an alive session; CodeOutcomeUnknown for a
// lost answer of Postgres: the token may be used, and can be sent again.
func (s *Sessions) Refresh(ctx context.Context, token string, now time.Time) (Session, error) {
	used := hashToken(token)
	next, hash := s.successor(token)
	session, found, err := s.sessionOf(ctx, useTokenSQL, used, now, hash)
	if err == nil && !found {
		session, found, err = s.sessionOf(ctx, usedLatelySQL, used, now, hash, RefreshGrace.Seconds())
	}
	if err != nil {
		return Session{}, fmt.Errorf("use refresh token: %w", eventstore.Unacknowledged(err))
	}
	if found {
		session.RefreshToken = next
		return session, nil
	}
	if err := s.revokeByToken(ctx, used); err != nil {
		return Session{}, err
	}
	return Session{}, domain.Refuse(domain.CodeUnauthenticated, "the refresh token isn't valid")
}

// sessionOf runs a statement that returns one session or none.
func (s *Sessions) sessionOf(ctx context.Context, sql string, args ...any) (session Session, found bool, err error) {
	var user uuid.UUID
	err = s.pool.QueryRow(ctx, sql, args...).Scan(&session.ID, &user, &session.ExpiresAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Session{}, false, nil
	}
	session.User = domain.UserID(user)
	return session, err == nil, err
}

// revokeByToken revokes the session of a refresh token, if there is one.
func (s *Sessions) revokeByToken(ctx context.Context, hash []byte) error {
	var revoked uuid.UUID
	err := s.pool.QueryRow(ctx, revokeByTokenSQL, hash).Scan(&revoked)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("revoke session: %w", eventstore.Unacknowledged(err))
	}
	s.checked.Remove(revoked)
	return nil
}

// Logout revokes a session of a user. A replica that has checked it less than a
// second ago accepts its access token for the rest of that second.
func (s *Sessions) Logout(ctx context.Context, id uuid.UUID, u domain.UserID) error {
	_, err := s.pool.Exec(ctx, revokeSQL, id, u.UUID())
	s.checked.Remove(id)
	if err != nil {
		return fmt.Errorf("revoke session: %w", eventstore.Unacknowledged(err))
	}
	return nil
}

// Check returns CodeUnauthenticated for a session that was revoked or expired.
func (s *Sessions) Check(ctx context.Context, id uuid.UUID, u domain.UserID) error {
	now := time.Now()
	if c, ok := s.checked.Get(id); ok && c.user == u && now.Sub(c.at) < checkedFor {
		return nil
	}
	var alive bool
	if err := s.pool.QueryRow(ctx, aliveSQL, id, u.UUID()).Scan(&alive); err != nil {
		return fmt.Errorf("check session: %w", eventstore.Unreachable(err))
	}
	if !alive {
		return domain.Refuse(domain.CodeUnauthenticated, "the session was ended")
	}
	s.checked.Add(id, checkedSession{u, now})
	return nil
}
