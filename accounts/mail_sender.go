package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// mailRound is the pause between two looks for mails.
	mailRound = time.Second
	// mailsAtOnce is how many mails a round takes, one after the other.
	mailsAtOnce = 20
	// mailTimeout bounds one try, mailLease is how long a taken mail isn't taken again: a
	// sender that dies leaves it to another one.
	mailTimeout = 30 * time.Second
	mailLease   = mailsAtOnce * mailTimeout
	// mailRetry is the pause before the second try, which doubles up to maxMailRetry.
	mailRetry    = 5 * time.Second
	maxMailRetry = 10 * time.Minute
	// awaitUser is how long a registration may take to be accepted after its password is stored.
	awaitUser = time.Minute
)

// takeMailsSQL takes up to $1 mails that are due, for $2 seconds.
const takeMailsSQL = `update account_mails m set attempts = attempts + 1, next_at = now() + make_interval(secs => $2)
from (select id from account_mails where finished_at is null and next_at <= now() and expires_at > now()
  order by next_at limit $1 for update skip locked) due
where m.id = due.id
returning m.id, m.kind, m.user_id, coalesce(m.address, ''), m.created_at, m.attempts`

// finishMailSQL notes that nothing is to be done about a mail ($1) any more; retryMailSQL that
// it is tried again in $2 seconds.
const (
	finishMailSQL = `update account_mails set finished_at = now() where id = $1`
	retryMailSQL  = `update account_mails set next_at = now() + make_interval(secs => $2) where id = $1`
)

// addTokenSQL adds a token ($1 SHA-256, $2 kind) of a user ($3) that expires ($4).
const addTokenSQL = `insert into account_tokens (token_hash, kind, user_id, expires_at) values ($1, $2, $3, $4)`

// mayGetSQL returns whether a user ($1) has an account that isn't disabled, and a verified address.
const mayGetSQL = `select disabled_at is null, email_verified_at is not null from credentials where user_id = $1`

// Directory finds the users to whom mails go.
type Directory interface {
	Users
	// User's error is CodeNotFound for a user that isn't registered.
	User(ctx context.Context, id domain.UserID) (domain.User, error)
}

// Post sends a mail. permanent says that no later try can succeed.
type Post interface {
	Send(ctx context.Context, m Mail) (permanent bool, err error)
}

// MailSender sends the mails that wait. Each replica with a mail server runs one.
type MailSender struct {
	pool  *pgxpool.Pool
	users Directory
	post  Post
	url   string
	log   *slog.Logger

	stop context.CancelFunc
	done chan struct{}
}

// NewMailSender makes a MailSender over a pool of the engine role. publicURL begins the links
// of mails; it has no slash at its end.
func NewMailSender(pool *pgxpool.Pool, users Directory, post Post, publicURL string, log *slog.Logger) *MailSender {
	return &MailSender{pool: pool, users: users, post: post, url: publicURL, log: log, done: make(chan struct{})}
}

// Start looks for mails until Stop.
func (s *MailSender) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() {
		defer close(s.done)
		rounds := time.NewTicker(mailRound)
		defer rounds.Stop()
		for {
			if err := s.Round(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("mails of accounts wait; they are tried again", "error", err)
			}
			select {
			case <-rounds.C:
			case <-ctx.Done():
				return
			}
		}
	}()
}

// Stop stops, and waits for the mail under way.
func (s *MailSender) Stop() {
	s.stop()
	<-s.done
}

// takenMail is a mail that this sender is to send.
type takenMail struct {
	queuedMail
	id        uuid.UUID
	createdAt time.Time
	attempts  int
}

// Round sends what is due, once. Start does so again and again.
func (s *MailSender) Round(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, takeMailsSQL, mailsAtOnce, mailLease.Seconds())
	if err != nil {
		return fmt.Errorf("take mails: %w", eventstore.Unreachable(err))
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m takenMail, err error) {
		var user *uuid.UUID
		if err = row.Scan(&m.id, &m.kind, &user, &m.address, &m.createdAt, &m.attempts); user != nil {
			m.user = domain.UserID(*user)
		}
		return m, err
	})
	if err != nil {
		return fmt.Errorf("take mails: %w", eventstore.Unreachable(err))
	}
	for _, m := range list {
		if err := s.finish(ctx, m, s.send(ctx, m)); err != nil {
			return err
		}
	}
	return nil
}

// errTryAgain is a failure that a later try may not have; any other is final.
var errTryAgain = errors.New("try again")

// finish notes the outcome of a try.
func (s *MailSender) finish(ctx context.Context, m takenMail, sent error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	var err error
	if errors.Is(sent, errTryAgain) {
		wait := maxMailRetry
		if m.attempts < 8 {
			wait = min(mailRetry<<(m.attempts-1), maxMailRetry)
		}
		_, err = s.pool.Exec(ctx, retryMailSQL, m.id, wait.Seconds())
	} else {
		_, err = s.pool.Exec(ctx, finishMailSQL, m.id)
	}
	if sent != nil {
		s.log.Warn("a mail of an account wasn't sent", "kind", m.kind, "mail", m.id, "attempts", m.attempts, "error", sent)
	}
	if err != nil {
		return fmt.Errorf("note the outcome of a mail: %w", eventstore.Unreachable(err))
	}
	return nil
}

// send makes a mail with a new token, and sends it. A mail that has no reader any more is
// left out, which is no failure.
func (s *MailSender) send(ctx context.Context, m takenMail) error {
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	again := func(err error) error { return fmt.Errorf("%w: %w", errTryAgain, err) }
	to, found, err := s.reader(ctx, &m)
	if err != nil {
		return again(err)
	}
	if !found {
		if m.kind == MailVerify && m.attempts <= 3 && time.Since(m.createdAt) < awaitUser {
			return again(errors.New("its user isn't registered yet"))
		}
		return nil
	}
	token := ""
	if lifetime := mailKinds[m.kind].lifetime; lifetime > 0 {
		var hash []byte
		token, hash = newSecretToken()
		if _, err := s.pool.Exec(ctx, addTokenSQL, hash, string(m.kind), m.user.UUID(), time.Now().Add(lifetime)); err != nil {
			return again(err)
		}
	}
	mail, err := compose(m.kind, s.url, token, to)
	if err != nil {
		return err
	}
	mail.ID, mail.At = m.id, m.createdAt
	permanent, err := s.post.Send(ctx, mail)
	if err != nil && !permanent {
		return again(err)
	}
	return err
}

// reader is the address that a mail goes to. A disabled account gets none, a verified one
// nothing that verifies it.
func (s *MailSender) reader(ctx context.Context, m *takenMail) (to string, found bool, err error) {
	if m.kind == MailReset {
		if m.user, found, err = s.users.UserByEmail(ctx, m.address); err != nil || !found {
			return to, false, err
		}
	}
	user, err := s.users.User(ctx, m.user)
	if domain.CodeOf(err) == domain.CodeNotFound {
		return to, false, nil
	}
	if err != nil {
		return to, false, err
	}
	var enabled, verified bool
	err = s.pool.QueryRow(ctx, mayGetSQL, m.user.UUID()).Scan(&enabled, &verified)
	if errors.Is(err, pgx.ErrNoRows) {
		return to, false, nil
	}
	if err != nil {
		return to, false, err
	}
	return user.Email, enabled && (m.kind != MailVerify || !verified), nil
}
