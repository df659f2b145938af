package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// APIKeyStart begins every API key: dkt_<prefix>_<secret>, so that scanners of sources
	// for secrets can tell it.
	APIKeyStart = "dkt_"
	// keyPrefix is how many characters of base32 tell keys apart, keySecret how many are
	// secret: 130 bits.
	keyPrefix, keySecret = 8, 26
	// usedEvery is how often the last use of a key is written at most.
	usedEvery = time.Minute
	// maxAPIKeys is how many keys the cache holds.
	maxAPIKeys = 50_000
)

// addAPIKeySQL adds a key ($1 SHA-256) of a service account ($3) of a tenant ($2), which
// events name by $4 and which expires at $5.
const addAPIKeySQL = `insert into api_keys (key_hash, tenant_id, account_id, secret_id, expires_at) values ($1, $2, $3, $4, $5)`

// findAPIKeySQL finds a key by its hash ($1), with the version of the account's stream.
const findAPIKeySQL = `select k.tenant_id, k.account_id, k.secret_id, k.last_used_at, coalesce((select e.version from events e
where e.tenant_id = k.tenant_id and e.stream_id = k.account_id order by e.version desc limit 1), 0)
from api_keys k where k.key_hash = $1`

// useAPIKeySQL notes the use of a key ($1), unless one of the last $2 seconds is noted.
const useAPIKeySQL = `update api_keys set last_used_at = now()
where key_hash = $1 and (last_used_at is null or last_used_at < now() - make_interval(secs => $2))`

// usedAPIKeysSQL is when the service accounts of a tenant ($1) last used a key.
const usedAPIKeysSQL = `select account_id, max(last_used_at) from api_keys where tenant_id = $1 and last_used_at is not null group by account_id`

// endAPIKeysSQL has the keys of a service account ($2) of a tenant ($1), but for one ($3),
// deleted by the housekeeping some time after $4.
const endAPIKeysSQL = `update api_keys set expires_at = least(expires_at, $4) where tenant_id = $1 and account_id = $2 and secret_id <> $3`

// deleteAPIKeysSQL deletes up to $2 keys that expired more than $1 seconds ago.
const deleteAPIKeysSQL = `delete from api_keys where key_hash in (
  select key_hash from api_keys where expires_at < now() - make_interval(secs => $1) order by expires_at limit $2)`

// APIKeys are the keys of service accounts. Only their hashes are stored. Whether one is
// valid is in the account's stream. Its methods may be called from any goroutine.
type APIKeys struct {
	pool *pgxpool.Pool
	// found caches keys that were found for a second, so that a revocation is noticed by
	// then on all replicas.
	found *lru.Cache[[sha256.Size]byte, foundKey]
}

// APIKey is a key that was found; the account's stream says whether it is valid.
type APIKey struct {
	Tenant  domain.TenantID
	Account domain.UserID
	Secret  domain.SecretID
	// Version is the least version of the account's stream to decide by.
	Version int

	hash [sha256.Size]byte
	// noteUse says that the last use, if any, is long ago.
	noteUse bool
}

// Identity is the service account's.
func (k APIKey) Identity() Identity { return Identity{User: k.Account, Tenant: k.Tenant} }

type foundKey struct {
	key APIKey
	at  time.Time
}

// NewAPIKeys makes APIKeys over a pool of the engine role.
func NewAPIKeys(pool *pgxpool.Pool) *APIKeys {
	found, err := lru.New[[sha256.Size]byte, foundKey](maxAPIKeys)
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	return &APIKeys{pool, found}
}

// Make makes and stores a key of a service account under a name. The key can't be read
// again; prefix is its part that isn't secret. A key that no event names is not valid.
func (a *APIKeys) Make(ctx context.Context, t domain.TenantID, account domain.UserID, name domain.SecretID, expires time.Time) (key, prefix string, err error) {
	prefix = strings.ToLower(rand.Text()[:keyPrefix])
	key = APIKeyStart + prefix + "_" + strings.ToLower(rand.Text()[:keySecret])
	hash := sha256.Sum256([]byte(key))
	if _, err := a.pool.Exec(ctx, addAPIKeySQL, hash[:], t.UUID(), account.UUID(), name.UUID(), expires); err != nil {
		return "", "", fmt.Errorf("store API key: %w", eventstore.Unacknowledged(err))
	}
	return key, prefix, nil
}

// Find finds a key. Error: CodeUnauthenticated for one that was never made, or is no key.
// It is asked of Postgres once a second at most.
func (a *APIKeys) Find(ctx context.Context, key string) (APIKey, error) {
	if !wellFormedKey(key) {
		return APIKey{}, domain.InvalidAPIKey()
	}
	hash, now := sha256.Sum256([]byte(key)), time.Now()
	if f, ok := a.found.Get(hash); ok && now.Sub(f.at) < checkedFor {
		return f.key, nil
	}
	k := APIKey{hash: hash}
	var used *time.Time
	err := a.pool.QueryRow(ctx, findAPIKeySQL, hash[:]).Scan((*uuid.UUID)(&k.Tenant), (*uuid.UUID)(&k.Account), (*uuid.UUID)(&k.Secret), &used, &k.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		a.found.Remove(hash)
		return APIKey{}, domain.InvalidAPIKey()
	}
	if err != nil {
		return APIKey{}, fmt.Errorf("find API key: %w", eventstore.Unreachable(err))
	}
	a.found.Add(hash, foundKey{k, now})
	k.noteUse = used == nil || now.Sub(*used) >= usedEvery
	return k, nil
}

// Used notes that a valid key was used, to the minute.
func (a *APIKeys) Used(ctx context.Context, k APIKey) error {
	if !k.noteUse {
		return nil
	}
	if _, err := a.pool.Exec(ctx, useAPIKeySQL, k.hash[:], usedEvery.Seconds()); err != nil {
		return fmt.Errorf("note the use of an API key: %w", eventstore.Unacknowledged(err))
	}
	return nil
}

// LastUsed is when the service accounts of a tenant last used a key; the ones that never
// did are missing.
func (a *APIKeys) LastUsed(ctx context.Context, t domain.TenantID) (map[domain.UserID]time.Time, error) {
	rows, err := a.pool.Query(ctx, usedAPIKeysSQL, t.UUID())
	if err != nil {
		return nil, fmt.Errorf("last uses of API keys: %w", eventstore.Unreachable(err))
	}
	used := map[domain.UserID]time.Time{}
	var account uuid.UUID
	var at time.Time
	if _, err = pgx.ForEachRow(rows, []any{&account, &at}, func() error {
		used[domain.UserID(account)] = at.UTC()
		return nil
	}); err != nil {
		return nil, fmt.Errorf("last uses of API keys: %w", eventstore.Unreachable(err))
	}
	return used, nil
}

// End has the keys of a service account, but for one, deleted some time after until.
func (a *APIKeys) End(ctx context.Context, t domain.TenantID, account domain.UserID, but domain.SecretID, until time.Time) error {
	if _, err := a.pool.Exec(ctx, endAPIKeysSQL, t.UUID(), account.UUID(), but.UUID(), until); err != nil {
		return fmt.Errorf("end API keys: %w", eventstore.Unacknowledged(err))
	}
	return nil
}

// DeleteExpiredAPIKeys deletes up to limit keys that have not been valid for age, and
// returns how many. pool is of the engine role.
func DeleteExpiredAPIKeys(ctx context.Context, pool *pgxpool.Pool, age time.Duration, limit int) (int, error) {
	return deleteOlder(ctx, pool, "expired API keys", deleteAPIKeysSQL, age, limit)
}

// wellFormedKey reports whether a text has the form of a key, so that what can't be one
// costs no query.
func wellFormedKey(key string) bool {
	rest, ok := strings.CutPrefix(key, APIKeyStart)
	if !ok || len(rest) != keyPrefix+1+keySecret || rest[keyPrefix] != '_' {
		return false
	}
	for i := range len(rest) {
		if c := rest[i]; i != keyPrefix && (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
