package notify

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/internal/seal"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ErrNoSecret says that there is no secret of this name.
var ErrNoSecret = errors.New("no such secret")

// putSecretSQL keeps a secret ($3, sealed) of a tenant ($1) under a name ($2).
const putSecretSQL = `insert into tenant_secrets (tenant_id, id, sealed) values ($1, $2, $3)
on conflict on constraint tenant_secrets_pk do update set sealed = excluded.sealed`

// secretSQL reads the secret of a tenant ($1) that has a name ($2).
const secretSQL = `select sealed from tenant_secrets where tenant_id = $1 and id = $2`

// Secrets keeps what tenants entrust to the server and must not stand in an
// event, such as a webhook's address. Events carry the name alone. What is kept
// is sealed, and opens only in its tenant and under its name.
type Secrets struct {
	engine *pgxpool.Pool
	box    *seal.Box
}

// NewSecrets makes Secrets on a pool of the engine role, sealed with a key that
// is derived from a master key of at least 32 bytes.
func NewSecrets(engine *pgxpool.Pool, master []byte) (*Secrets, error) {
	box, err := seal.New(master, "docket tenant secret v1")
	if err != nil {
		return nil, err
	}
	return &Secrets{engine: engine, box: box}, nil
}

// Put keeps a secret under a name; again under the same name replaces it.
func (s *Secrets) Put(ctx context.Context, t domain.TenantID, id domain.SecretID, value string) error {
	sealed := s.box.Seal([]byte(value), secretName(t, id))
	if _, err := s.engine.Exec(ctx, putSecretSQL, t.UUID(), id.UUID(), sealed); err != nil {
		return fmt.Errorf("keep secret %s: %w", id, err)
	}
	return nil
}

// Get is the secret that a name stands for. Errors: ErrNoSecret;
// seal.ErrUnreadable where it was kept under another master key.
func (s *Secrets) Get(ctx context.Context, t domain.TenantID, id domain.SecretID) (string, error) {
	var sealed []byte
	err := s.engine.QueryRow(ctx, secretSQL, t.UUID(), id.UUID()).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("secret %s: %w", id, ErrNoSecret)
	}
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", id, err)
	}
	value, err := s.box.Open(sealed, secretName(t, id))
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", id, err)
	}
	return string(value), nil
}

// secretName binds what is sealed to its place. Both ids have a fixed length.
func secretName(t domain.TenantID, id domain.SecretID) string { return t.String() + "/" + id.String() }
