package accounts

import (
	"context"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// OperatorLinkLifetime is how long a reset token is valid that an operator has made.
const OperatorLinkLifetime = 24 * time.Hour

// disableSQL disables the account of a user ($1). A login that is under way finds it, or is
// over before.
const disableSQL = `update credentials set disabled_at = coalesce(disabled_at, now()) where user_id = $1`

// enableSQL ends that.
const enableSQL = `update credentials set disabled_at = null where user_id = $1`

// Disable disables the account of a user, whose sessions end: a replica that has checked one
// less than a second ago accepts it for the rest of that second. A login is answered as with a
// wrong password. found is false for a user without an account.
func (p *Passwords) Disable(ctx context.Context, u domain.UserID) (found bool, err error) {
	b := &pgx.Batch{} // one implicit transaction
	b.Queue(disableSQL, u.UUID()).Exec(func(tag pgconn.CommandTag) error {
		found = tag.RowsAffected() == 1
		return nil
	})
	b.Queue(revokeOthersSQL, u.UUID(), uuid.Nil)
	b.Queue(useOthersSQL, u.UUID())
	if err := p.pool.SendBatch(ctx, b).Close(); err != nil {
		return false, fmt.Errorf("disable account: %w", eventstore.Unacknowledged(err))
	}
	return found, nil
}

// Enable ends what Disable has begun. The ended sessions stay so.
func (p *Passwords) Enable(ctx context.Context, u domain.UserID) (found bool, err error) {
	tag, err := p.pool.Exec(ctx, enableSQL, u.UUID())
	if err != nil {
		return false, fmt.Errorf("enable account: %w", eventstore.Unacknowledged(err))
	}
	return tag.RowsAffected() == 1, nil
}

// ResetLink makes a token that resets a user's password, for an operator to hand over, and
// returns its link; without a public address, the token.
func (p *Passwords) ResetLink(ctx context.Context, u domain.UserID, publicURL string) (string, error) {
	token, hash := newSecretToken()
	_, err := p.pool.Exec(ctx, addTokenSQL, hash, string(MailReset), u.UUID(), time.Now().Add(OperatorLinkLifetime))
	if err != nil {
		return "", fmt.Errorf("make a reset token: %w", eventstore.Unacknowledged(err))
	}
	if publicURL == "" {
		return token, nil
	}
	return mailKinds[MailReset].link(publicURL, token), nil
}
