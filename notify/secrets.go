package notify

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/seal"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNoSecret is the error for a name without a secret.
var ErrNoSecret = errors.New("no such secret")

// putSecretSQL writes a sealed secret ($3) of a tenant ($1) under a name ($2).
const putSecretSQL = `insert into tenant_secrets (tenant_id, id, sealed) values ($1, $2, $3)
on conflict on constraint tenant_secrets_pk do update set sealed = excluded.sealed`

// secretSQL reads the secret of a tenant ($1) under a name ($2).
const secretSQL = `select sealed from tenant_secrets where tenant_id = $1 and id = $2`

// Secrets stores tenants' secrets, such as a webhook's address. Events contain only a
// secret's name. A secret is stored sealed, and opens only in its tenant and under its
// name.
type Secrets struct {
	engine *pgxpool.Pool
	box    *seal.Box
}

// NewSecrets makes Secrets on a pool of the engine role. The sealing key is derived
// from a master key of at least 32 bytes.
func NewSecrets(engine *pgxpool.Pool, master []byte) (*Secrets, error) {
	box, err := seal.New(master, "docket tenant secret v1")
	if err != nil {
		return nil, err
	}
	return &Secrets{engine: engine, box: box}, nil
}

// Put stores a secret under a name, and replaces one of the same name. No event has the
// name yet, so a lost answer leaves nothing that counts. Error: domain.CodeOverloaded where
// Postgres is away.
func (s *Secrets) Put(ctx context.Context, t domain.TenantID, id domain.SecretID, value string) error {
	sealed := s.box.Seal([]byte(value), secretName(t, id))
	if _, err := s.engine.Exec(ctx, putSecretSQL, t.UUID(), id.UUID(), sealed); err != nil {
		return fmt.Errorf("store secret %s: %w", id, eventstore.Unreachable(err))
	}
	return nil
}

// Get returns the secret of a name. Errors: ErrNoSecret; seal.ErrUnreadable if it was
// stored under another master key.
func (s *Secrets) Get(ctx context.Context, t domain.TenantID, id domain.SecretID) (string, error) {
	var sealed []byte
	err := s.engine.QueryRow(ctx, secretSQL, t.UUID(), id.UUID()).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("secret %s: %w", id, ErrNoSecret)
	}
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", id, eventstore.Unreachable(err))
	}
	value, err := s.box.Open(sealed, secretName(t, id))
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", id, err)
	}
	return string(value), nil
}

// Is reports whether the secret of a name has a value. It is false where the secret is
// gone, or was stored under another master key. Error: domain.CodeOverloaded where Postgres
// is away.
func (s *Secrets) Is(ctx context.Context, t domain.TenantID, id domain.SecretID, value string) (bool, error) {
	present, err := s.Get(ctx, t, id)
	if errors.Is(err, ErrNoSecret) || errors.Is(err, seal.ErrUnreadable) {
		return false, nil
	}
	return err == nil && subtle.ConstantTimeCompare([]byte(present), []byte(value)) == 1, err
}

// secretName binds a sealed secret to its row. Both ids have a fixed length.
func secretName(t domain.TenantID, id domain.SecretID) string { return t.String() + "/" + id.String() }
