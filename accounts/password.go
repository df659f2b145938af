package accounts

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"docket/domain"
	"docket/eventstore"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// hashParams are OWASP's recommendation for argon2id: 19 MiB, two passes.
var hashParams = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// setPasswordSQL stores a user's ($1) password hash ($2).
const setPasswordSQL = `insert into credentials (user_id, password_hash) values ($1, $2)
on conflict (user_id) do update set password_hash = excluded.password_hash, changed_at = now()`

// deletePasswordSQL deletes a user's ($1) password hash.
const deletePasswordSQL = `delete from credentials where user_id = $1`

// deleteMailsSQL deletes the mails of a user ($1) that aren't sent.
const deleteMailsSQL = `delete from account_mails where user_id = $1 and finished_at is null`

// passwordSQL reads a user's ($1) password hash, unless the account is disabled.
const passwordSQL = `select password_hash from credentials where user_id = $1 and disabled_at is null`

// Passwords stores passwords as argon2id hashes (PHC strings). It computes at
// most one hash per core at a time. Its methods may be called from any goroutine.
type Passwords struct {
	pool   *pgxpool.Pool
	hashes *hashQueue
	// decoy is the hash that Verify compares with where there is no user.
	decoy string
}

// decoy is computed once a process, because a hash takes a while.
var decoy = sync.OnceValues(func() (string, error) { return argon2id.CreateHash(uuid.NewString(), hashParams) })

// NewPasswords makes Passwords over a pool of the engine role.
func NewPasswords(pool *pgxpool.Pool) (*Passwords, error) {
	decoy, err := decoy()
	if err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	return &Passwords{pool: pool, decoy: decoy, hashes: newHashQueue(runtime.GOMAXPROCS(0))}, nil
}

// Create stores a new user's password, which must be valid, and queues the mail that verifies
// the user's address. The mail isn't sent before there is the user. Error: CodeOverloaded where
// too many hashes wait or Postgres is away.
func (p *Passwords) Create(ctx context.Context, u domain.UserID, email, password string) error {
	hash, err := p.hash(ctx, password)
	if err != nil {
		return err
	}
	b := &pgx.Batch{} // one implicit transaction
	b.Queue(setPasswordSQL, u.UUID(), hash)
	if err := queueMail(b, queuedMail{kind: MailVerify, user: u, address: email}); err != nil {
		return err
	}
	if err := p.pool.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("set password: %w", eventstore.Unreachable(err))
	}
	return nil
}

func (p *Passwords) hash(ctx context.Context, password string) (hash string, err error) {
	err = p.limit(ctx, client{}, func() (err error) {
		hash, err = argon2id.CreateHash(canonical(password), hashParams)
		return err
	})
	return hash, err
}

// renew hashes a password that was verified again, where its hash has other parameters than
// new ones. An error is no reason to refuse a login: the next one renews it.
func (p *Passwords) renew(ctx context.Context, u domain.UserID, password, old string) {
	if params, _, _, err := argon2id.DecodeHash(old); err != nil || *params == *hashParams {
		return
	}
	if hash, err := p.hash(ctx, password); err == nil {
		_, _ = p.pool.Exec(ctx, changePasswordSQL, u.UUID(), hash, old)
	}
}

// Delete deletes a user's password, if there is one, and the mails that weren't sent.
func (p *Passwords) Delete(ctx context.Context, u domain.UserID) error {
	b := &pgx.Batch{}
	b.Queue(deletePasswordSQL, u.UUID())
	b.Queue(deleteMailsSQL, u.UUID())
	if err := p.pool.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("delete password: %w", eventstore.Unreachable(err))
	}
	return nil
}

// Verify reports whether the password is the user's. With exists false it does
// the same work and returns false, so that its duration reveals no user.
func (p *Passwords) Verify(ctx context.Context, u domain.UserID, exists bool, password string) (bool, error) {
	_, match, err := p.verify(ctx, client{}, u, exists, password)
	return match, err
}

// verify is Verify that returns the hash with which the password was compared; "" if it
// was not.
func (p *Passwords) verify(ctx context.Context, c client, u domain.UserID, exists bool, password string) (compared string, match bool, err error) {
	hash := p.decoy
	rows, err := p.pool.Query(ctx, passwordSQL, u.UUID())
	if err != nil {
		return "", false, fmt.Errorf("read password: %w", eventstore.Unreachable(err))
	}
	stored, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		exists = false
	case err != nil:
		return "", false, fmt.Errorf("read password: %w", eventstore.Unreachable(err))
	case exists:
		hash = stored
	}
	err = p.limit(ctx, c, func() (err error) {
		compared = hash
		match, err = argon2id.ComparePasswordAndHash(canonical(password), hash)
		if err == nil && !match && canonical(password) != password {
			// It was stored before passwords were kept in NFC.
			match, err = argon2id.ComparePasswordAndHash(password, hash)
		}
		return err
	})
	return compared, match && exists, err
}

// limit runs hash when a core is free and it is the client's turn; it refuses with
// CodeOverloaded where too many wait.
func (p *Passwords) limit(ctx context.Context, c client, hash func() error) error {
	if err := p.hashes.acquire(ctx, c); err != nil {
		return fmt.Errorf("wait to hash a password: %w", err)
	}
	defer p.hashes.release()
	return hash()
}
