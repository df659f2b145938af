package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
)

// maxVerified is how many users the cache of Mailboxes.Verified holds.
const maxVerified = 50_000

// verifiedSQL finds those of some users ($1) whose address is verified.
const verifiedSQL = `select user_id from credentials where user_id = any ($1) and email_verified_at is not null`

// verifySQL uses a token ($1 SHA-256) of a verification, and verifies its user's address.
// The row's lock lets one of several concurrent requests through.
const verifySQL = `with used as (
  update account_tokens set used_at = now()
  where token_hash = $1 and kind = 'verify' and used_at is null and expires_at > now() returning user_id)
update credentials c set email_verified_at = coalesce(c.email_verified_at, now()) from used where c.user_id = used.user_id
returning c.user_id`

// resetUserSQL finds the user of a token ($1 SHA-256) that resets a password.
const resetUserSQL = `select t.user_id from account_tokens t join credentials c on c.user_id = t.user_id and c.disabled_at is null
where t.token_hash = $1 and t.kind = 'reset' and t.used_at is null and t.expires_at > now()`

// useResetSQL uses that token, once.
const useResetSQL = `update account_tokens set used_at = now()
where token_hash = $1 and kind = 'reset' and used_at is null and expires_at > now()`

// useOthersSQL makes the other tokens of resets of a user ($1) invalid.
const useOthersSQL = `update account_tokens set used_at = now() where user_id = $1 and kind = 'reset' and used_at is null`

// resetPasswordSQL stores a user's ($1) password hash ($2). The token came from the mailbox,
// so the address is verified.
const resetPasswordSQL = `update credentials set password_hash = $2, changed_at = now(), email_verified_at = coalesce(email_verified_at, now())
where user_id = $1 and disabled_at is null`

// Mailboxes is what users do by a mail: they verify their address and reset their password.
// Its methods may be called from any goroutine.
type Mailboxes struct {
	sessions *Sessions
	verified *lru.Cache[domain.UserID, struct{}]
}

// NewMailboxes makes Mailboxes beside the Sessions.
func NewMailboxes(s *Sessions) *Mailboxes {
	verified, err := lru.New[domain.UserID, struct{}](maxVerified)
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	return &Mailboxes{sessions: s, verified: verified}
}

// Verified returns which of some users have a verified address. One stays verified.
func (m *Mailboxes) Verified(ctx context.Context, users ...domain.UserID) (map[domain.UserID]bool, error) {
	found := map[domain.UserID]bool{}
	var unknown []uuid.UUID
	for _, u := range users {
		if _, ok := m.verified.Get(u); ok {
			found[u] = true
		} else {
			unknown = append(unknown, u.UUID())
		}
	}
	if len(unknown) == 0 {
		return found, nil
	}
	rows, err := m.sessions.pool.Query(ctx, verifiedSQL, unknown)
	if err != nil {
		return nil, fmt.Errorf("look up verified addresses: %w", eventstore.Unreachable(err))
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("look up verified addresses: %w", eventstore.Unreachable(err))
	}
	for _, id := range ids {
		m.verified.Add(domain.UserID(id), struct{}{})
		found[domain.UserID(id)] = true
	}
	return found, nil
}

// Forget forgets whose addresses are verified.
func (m *Mailboxes) Forget() { m.verified.Purge() }

// AskVerification queues a mail that verifies the address of a user. A verified one, and one
// that has got too many mails, gets none.
func (m *Mailboxes) AskVerification(ctx context.Context, u domain.UserID, email string) error {
	verified, err := m.Verified(ctx, u)
	if err != nil || verified[u] {
		return err
	}
	return sendMails(ctx, m.sessions.pool, queuedMail{kind: MailVerify, user: u, address: email})
}

// Verify verifies the address to which a token was sent. from is the client's network.
// Error: InvalidToken, for any token that isn't of a verification, unused and of late.
func (m *Mailboxes) Verify(ctx context.Context, token string, from netip.Prefix) error {
	return m.redeem(ctx, from, func() error {
		var user uuid.UUID
		err := m.sessions.pool.QueryRow(ctx, verifySQL, hashToken(token)).Scan(&user)
		if errors.Is(err, pgx.ErrNoRows) {
			return InvalidToken()
		}
		if err != nil {
			return fmt.Errorf("verify address: %w", eventstore.Unacknowledged(err))
		}
		return nil
	})
}

// redeem limits how many tokens of a network may be refused.
func (m *Mailboxes) redeem(ctx context.Context, from netip.Prefix, use func() error) error {
	if err := m.sessions.signIns.MayRefresh(from); err != nil {
		return err
	}
	err := use()
	if IsInvalidToken(err) {
		m.sessions.signIns.RefreshFailed(ctx, from)
	}
	return err
}

// AskReset queues a mail that resets the password of the user with an address. It looks for
// none: whether there is one takes no time here, as the mail's sender finds out. from is the
// client's network. Error: CodeRateLimited.
func (m *Mailboxes) AskReset(ctx context.Context, email string, from netip.Prefix) error {
	if err := m.sessions.signIns.AskMail(ctx, from); err != nil {
		return err
	}
	return sendMails(ctx, m.sessions.pool, queuedMail{kind: MailReset, address: email})
}

// Reset gives the user to whom a token was sent another password, ends all of the user's
// sessions, and queues a mail that says so. Errors: InvalidToken, CodeValidationFailed at
// /password, CodeOverloaded.
func (m *Mailboxes) Reset(ctx context.Context, token, password string, from netip.Prefix) error {
	s := m.sessions
	if err := s.passwords.checkNew("/password", password); err != nil {
		return err
	}
	return m.redeem(ctx, from, func() error {
		hashed := hashToken(token)
		var user uuid.UUID
		err := s.pool.QueryRow(ctx, resetUserSQL, hashed).Scan(&user)
		if errors.Is(err, pgx.ErrNoRows) {
			return InvalidToken()
		}
		if err != nil {
			return fmt.Errorf("find token: %w", eventstore.Unreachable(err))
		}
		hash, err := s.passwords.hash(ctx, password)
		if err != nil {
			return err
		}
		return m.reset(ctx, hashed, domain.UserID(user), hash)
	})
}

// reset uses a token and stores a hash, all or nothing.
func (m *Mailboxes) reset(ctx context.Context, token []byte, u domain.UserID, hash string) error {
	s := m.sessions
	var revoked []uuid.UUID
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, use := range []struct {
			sql  string
			args []any
		}{{useResetSQL, []any{token}}, {resetPasswordSQL, []any{u.UUID(), hash}}} {
			tag, err := tx.Exec(ctx, use.sql, use.args...)
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 {
				return InvalidToken()
			}
		}
		if _, err := tx.Exec(ctx, useOthersSQL, u.UUID()); err != nil {
			return err
		}
		var err error
		revoked, err = passwordChanged(ctx, tx, u, uuid.Nil)
		return err
	})
	for _, id := range revoked {
		s.checked.Remove(id)
	}
	if err != nil && !IsInvalidToken(err) {
		return fmt.Errorf("reset password: %w", eventstore.Unacknowledged(err))
	}
	return err
}

// InvalidToken is the one refusal of each token that isn't valid: expired, used, of another
// kind or another's, cut off, or made up.
func InvalidToken() error {
	return domain.Invalid("/token", invalidTokenField, "the token isn't valid: it has expired, was used, or is none")
}

const invalidTokenField = "invalid"

// IsInvalidToken reports whether an error is that refusal.
func IsInvalidToken(err error) bool {
	var refused *domain.Error
	return errors.As(err, &refused) && refused.Code == domain.CodeValidationFailed && len(refused.Fields) == 1 &&
		refused.Fields[0].Pointer == "/token" && refused.Fields[0].Code == invalidTokenField
}
