package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"docket/domain"
	"docket/eventstore"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"
)

// Limits of a password, in characters.
const (
	MinPassword = 8
	MaxPassword = 128
)

// hashCost is OWASP's recommendation for argon2id: 19 MiB, two passes.
var hashCost = &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// hashesWaiting is how many hashes may wait for a core before CodeOverloaded:
// each takes tens of milliseconds and 19 MiB.
const hashesWaiting = 50

// forgetTimeout bounds the clean-up after a registration that was refused.
const forgetTimeout = 5 * time.Second

// setCredentialSQL keeps a user's ($1) password hash ($2).
const setCredentialSQL = `insert into credentials (user_id, password_hash) values ($1, $2)
on conflict (user_id) do update set password_hash = excluded.password_hash, changed_at = now()`

// forgetCredentialSQL drops a user's ($1) password hash.
const forgetCredentialSQL = `delete from credentials where user_id = $1`

// credentialSQL reads a user's ($1) password hash.
const credentialSQL = `select password_hash from credentials where user_id = $1`

// Credentials keeps passwords as argon2id hashes (PHC strings), and at most one
// hash per core in work.
type Credentials struct {
	pool    *pgxpool.Pool
	log     *slog.Logger
	working *semaphore.Weighted
	waiting *semaphore.Weighted
	// nobody is what a password is compared with where there is no user, so that
	// the answer takes as long.
	nobody string
}

// NewCredentials makes Credentials over a pool of the engine role.
func NewCredentials(pool *pgxpool.Pool, log *slog.Logger) (*Credentials, error) {
	nobody, err := argon2id.CreateHash(uuid.NewString(), hashCost)
	if err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	cores := int64(runtime.GOMAXPROCS(0))
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Credentials{
		pool: pool, log: log, nobody: nobody,
		working: semaphore.NewWeighted(cores), waiting: semaphore.NewWeighted(cores + hashesWaiting),
	}, nil
}

// checkPassword is what is wrong with a password's form, or nil.
func checkPassword(pointer, password string) *domain.FieldError {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return &domain.FieldError{Pointer: pointer, Code: "characters", Detail: "control characters aren't allowed"}
	case n < MinPassword:
		return &domain.FieldError{Pointer: pointer, Code: "too_short", Detail: fmt.Sprintf("at least %d characters are needed", MinPassword)}
	case n > MaxPassword:
		return &domain.FieldError{Pointer: pointer, Code: "too_long", Detail: fmt.Sprintf("at most %d characters are allowed", MaxPassword)}
	}
	return nil
}

// set keeps a user's password.
func (c *Credentials) set(ctx context.Context, u domain.UserID, password string) error {
	var hash string
	err := c.work(ctx, func() (err error) {
		hash, err = argon2id.CreateHash(password, hashCost)
		return err
	})
	if err != nil {
		return err
	}
	if _, err := c.pool.Exec(ctx, setCredentialSQL, u.UUID(), hash); err != nil {
		return fmt.Errorf("keep password: %w", eventstore.Unreachable(err))
	}
	return nil
}

// forget drops a password that no user came to own. Left behind it would do no harm.
func (c *Credentials) forget(ctx context.Context, u domain.UserID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeout)
	defer cancel()
	if _, err := c.pool.Exec(ctx, forgetCredentialSQL, u.UUID()); err != nil {
		c.log.Warn("a password of nobody was left behind", "error", err)
	}
}

// verify reports whether the password is the user's. With exists false it takes
// as long and is false.
func (c *Credentials) verify(ctx context.Context, u domain.UserID, exists bool, password string) (bool, error) {
	hash := c.nobody
	// The query is made in either case, for the same reason.
	rows, err := c.pool.Query(ctx, credentialSQL, u.UUID())
	if err != nil {
		return false, fmt.Errorf("read password: %w", eventstore.Unreachable(err))
	}
	stored, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		exists = false
	case err != nil:
		return false, fmt.Errorf("read password: %w", eventstore.Unreachable(err))
	case exists:
		hash = stored
	}
	var match bool
	err = c.work(ctx, func() (err error) {
		match, err = argon2id.ComparePasswordAndHash(password, hash)
		return err
	})
	return match && exists, err
}

// work runs one hash, or refuses with CodeOverloaded where too many wait.
func (c *Credentials) work(ctx context.Context, hash func() error) error {
	if !c.waiting.TryAcquire(1) {
		return domain.Refuse(domain.CodeOverloaded, "too many are signing in; try again in a moment")
	}
	defer c.waiting.Release(1)
	if err := c.working.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("waiting to hash: %w", err)
	}
	defer c.working.Release(1)
	return hash()
}
