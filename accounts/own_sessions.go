package accounts

import (
	"context"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// sessionsSQL lists up to $3 alive sessions of a user ($1) before one ($2), the newest first.
// A session was last used when its newest refresh token was made.
const sessionsSQL = `select s.id, s.created_at, s.expires_at,
  (select max(t.created_at) from refresh_tokens t where t.session_id = s.id)
from sessions s where s.user_id = $1 and s.id < $2 and s.revoked_at is null and s.expires_at > now()
order by s.id desc limit $3`

// endSQL revokes an alive session ($1) of a user ($2).
const endSQL = `update sessions set revoked_at = now() where id = $1 and user_id = $2 and revoked_at is null and expires_at > now()`

// changePasswordSQL stores a user's ($1) password hash ($2) in place of another ($3).
const changePasswordSQL = `update credentials set password_hash = $2, changed_at = now() where user_id = $1 and password_hash = $3`

// revokeOthersSQL revokes the sessions of a user ($1) but one ($2).
const revokeOthersSQL = `update sessions set revoked_at = now() where user_id = $1 and id <> $2 and revoked_at is null returning id`

// OwnSession is a session as its user sees it.
type OwnSession struct {
	ID        uuid.UUID
	CreatedAt time.Time
	// UsedAt is when its tokens were last made.
	UsedAt    time.Time
	ExpiresAt time.Time
}

// List reads up to limit alive sessions of a user before one, the newest first; uuid.Max is
// after all.
func (s *Sessions) List(ctx context.Context, u domain.UserID, before uuid.UUID, limit int) ([]OwnSession, error) {
	rows, err := s.pool.Query(ctx, sessionsSQL, u.UUID(), before, limit)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", eventstore.Unreachable(err))
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o OwnSession, err error) {
		var used *time.Time
		if err := row.Scan(&o.ID, &o.CreatedAt, &o.ExpiresAt, &used); err != nil {
			return o, err
		}
		o.UsedAt = o.CreatedAt
		if used != nil {
			o.UsedAt = *used
		}
		return o, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", eventstore.Unreachable(err))
	}
	return list, nil
}

// End revokes a session of a user. Error: CodeNotFound where the user has no such session
// that is alive. Another replica takes its access token for the rest of the second.
func (s *Sessions) End(ctx context.Context, id uuid.UUID, u domain.UserID) error {
	tag, err := s.pool.Exec(ctx, endSQL, id, u.UUID())
	s.checked.Remove(id)
	if err != nil {
		return fmt.Errorf("end session: %w", eventstore.Unacknowledged(err))
	}
	if tag.RowsAffected() == 0 {
		return domain.NotFound("session")
	}
	return nil
}

// ChangePassword gives a user another password and revokes all sessions but the one that asks
// for it. A mail tells the user. A login with the old password that is under way starts none. Errors:
// CodeValidationFailed at /current_password or /new_password, CodeOverloaded,
// CodeConcurrentUpdate where the password was changed meanwhile.
func (s *Sessions) ChangePassword(ctx context.Context, u domain.UserID, session uuid.UUID, current, next string) error {
	if err := s.passwords.checkNew("/new_password", next); err != nil {
		return err
	}
	a, err := s.signIns.beginUser(ctx, u)
	if err != nil {
		return err
	}
	var match bool
	var old string
	defer func() { a.end(ctx, old != "", match) }()
	old, match, err = s.passwords.verify(ctx, a.client, u, true, current)
	if err != nil {
		return err
	}
	if !match {
		return domain.Invalid("/current_password", "wrong", "this isn't the present password")
	}
	hash, err := s.passwords.hash(ctx, next)
	if err != nil {
		return err
	}
	var revoked []uuid.UUID
	changed := false
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, changePasswordSQL, u.UUID(), hash, old)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		changed = true
		revoked, err = passwordChanged(ctx, tx, u, session)
		return err
	})
	for _, id := range revoked {
		s.checked.Remove(id)
	}
	if err != nil {
		return fmt.Errorf("change password: %w", eventstore.Unacknowledged(err))
	}
	if !changed {
		return domain.Refuse(domain.CodeConcurrentUpdate, "the password was changed meanwhile")
	}
	return nil
}

// passwordChanged revokes all of a user's sessions but one, in the transaction that has changed
// the password, and queues the mail that tells the user.
func passwordChanged(ctx context.Context, tx pgx.Tx, u domain.UserID, but uuid.UUID) (revoked []uuid.UUID, err error) {
	notice := &pgx.Batch{}
	if err := queueMail(notice, queuedMail{kind: MailNotice, user: u}); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, revokeOthersSQL, u.UUID(), but)
	if err != nil {
		return nil, err
	}
	if revoked, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
		return nil, err
	}
	return revoked, tx.SendBatch(ctx, notice).Close()
}
