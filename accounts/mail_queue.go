package accounts

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// MailKind says what a mail of an account is for.
type MailKind string

// The kinds of mails. All but MailNotice carry a token.
const (
	MailVerify MailKind = "verify"
	MailReset  MailKind = "reset"
	MailNotice MailKind = "notice"
)

const (
	// VerifyLifetime and ResetLifetime are how long a token is valid after it was sent.
	VerifyLifetime = 24 * time.Hour
	ResetLifetime  = 30 * time.Minute
	// mailEvery is the least time between two mails of a kind to an address, mailsADay how
	// many of a kind it gets in 24 hours. A mail beyond is not sent, and the answer is the
	// same.
	mailEvery = time.Minute
	mailsADay = 10
)

// lockRecipientSQL makes the mails of one recipient ($1) and kind ($2) follow each other.
const lockRecipientSQL = `select pg_advisory_xact_lock(hashtextextended($2 || encode($1, 'hex'), 7))`

// queueMailSQL queues a mail ($1 id, $2 kind, $3 user, $4 address, $5 recipient) for $6
// seconds, unless its recipient got one of the kind in the last $7 seconds, or $8 of them in
// a day.
const queueMailSQL = `insert into account_mails (id, kind, user_id, address, recipient, expires_at)
select $1, $2, $3, $4, $5, now() + make_interval(secs => $6)
where $5::bytea is null or (
  not exists (select from account_mails where recipient = $5 and kind = $2 and created_at > now() - make_interval(secs => $7))
  and (select count(*) from account_mails where recipient = $5 and kind = $2 and created_at > now() - interval '1 day') < $8)`

// queuedMail is a mail to be sent.
type queuedMail struct {
	kind    MailKind
	user    domain.UserID // zero: the one with the address
	address string        // "": the user's
}

// queueMail queues a mail in a batch, whose transaction has its cause. An address that has
// got too many gets none.
func queueMail(b *pgx.Batch, m queuedMail) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("new mail: %w", err)
	}
	var user *uuid.UUID
	if !m.user.IsZero() {
		user = new(m.user.UUID())
	}
	var address *string
	var recipient []byte
	if m.address != "" {
		address = &m.address
		sum := sha256.Sum256([]byte(domain.FoldEmail(m.address)))
		recipient = sum[:]
		b.Queue(lockRecipientSQL, recipient, string(m.kind))
	}
	b.Queue(queueMailSQL, id, string(m.kind), user, address, recipient, mailKinds[m.kind].wait.Seconds(), mailEvery.Seconds(), mailsADay)
	return nil
}

// sendMails queues mails in a transaction of their own.
func sendMails(ctx context.Context, pool *pgxpool.Pool, list ...queuedMail) error {
	b := &pgx.Batch{} // one implicit transaction
	for _, m := range list {
		if err := queueMail(b, m); err != nil {
			return err
		}
	}
	if err := pool.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("queue mail: %w", eventstore.Unreachable(err))
	}
	return nil
}
