package accounts

import (
	"context"
	"fmt"
	"time"

	"docket/eventstore"

	"github.com/jackc/pgx/v5/pgxpool"
)

// deleteEndedSQL deletes up to $2 sessions, with their refresh tokens, that expired or were
// revoked more than $1 seconds ago.
const deleteEndedSQL = `delete from sessions where id in (
  select id from sessions where least(expires_at, revoked_at) < now() - make_interval(secs => $1)
  order by least(expires_at, revoked_at) limit $2)`

// deleteUsedSQL deletes up to $2 refresh tokens that were used more than $1 seconds ago.
const deleteUsedSQL = `delete from refresh_tokens where token_hash in (
  select token_hash from refresh_tokens where used_at < now() - make_interval(secs => $1)
  order by used_at limit $2)`

// deleteEndedMailsSQL deletes up to $2 mails whose time to be sent ended more than $1 seconds
// ago, deleteEndedTokensSQL tokens that expired.
const (
	deleteEndedMailsSQL = `delete from account_mails where id in (
  select id from account_mails where expires_at < now() - make_interval(secs => $1) order by expires_at limit $2)`
	deleteEndedTokensSQL = `delete from account_tokens where token_hash in (
  select token_hash from account_tokens where expires_at < now() - make_interval(secs => $1) order by expires_at limit $2)`
)

// mailsCounted is how long a mail is kept at least: it counts for the day's limit.
const mailsCounted = 24 * time.Hour

// DeleteEndedMails deletes up to limit mails of accounts whose time to be sent ended longer
// than age ago, a day at least, and returns how many. pool is of the engine role.
func DeleteEndedMails(ctx context.Context, pool *pgxpool.Pool, age time.Duration, limit int) (int, error) {
	return deleteOlder(ctx, pool, "ended mails", deleteEndedMailsSQL, max(age, mailsCounted), limit)
}

// DeleteEndedTokens deletes up to limit tokens of mails that expired longer than age ago, and
// returns how many. One that is gone is refused as one that is used.
func DeleteEndedTokens(ctx context.Context, pool *pgxpool.Pool, age time.Duration, limit int) (int, error) {
	return deleteOlder(ctx, pool, "ended tokens of mails", deleteEndedTokensSQL, age, limit)
}

// DeleteEndedSessions deletes up to limit sessions that ended longer than age ago, with
// their refresh tokens, and returns how many. pool is of the engine role.
func DeleteEndedSessions(ctx context.Context, pool *pgxpool.Pool, age time.Duration, limit int) (int, error) {
	return deleteOlder(ctx, pool, "ended sessions", deleteEndedSQL, age, limit)
}

// DeleteUsedTokens deletes up to limit refresh tokens that were used longer than age ago,
// and returns how many. age is above RefreshGrace. A token that is gone is refused as one
// that never was: to send it again reveals no theft any more, and no longer ends its
// session.
func DeleteUsedTokens(ctx context.Context, pool *pgxpool.Pool, age time.Duration, limit int) (int, error) {
	return deleteOlder(ctx, pool, "used refresh tokens", deleteUsedSQL, max(age, 2*RefreshGrace), limit)
}

func deleteOlder(ctx context.Context, pool *pgxpool.Pool, what, sql string, age time.Duration, limit int) (int, error) {
	tag, err := pool.Exec(ctx, sql, age.Seconds(), limit)
	if err != nil {
		return 0, fmt.Errorf("delete %s: %w", what, eventstore.Unreachable(err))
	}
	return int(tag.RowsAffected()), nil
}
