package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/eventstore"
	"docket/internal/seal"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// minLead is the least lead of a key: by then all replicas have read it, so none refuses a
// token that another has signed.
const minLead = 3 * keysEvery

// maxManaged is how many keys there may be that weren't retired and still verify.
const maxManaged = 10

// keysLockSQL serializes changes of keys.
const keysLockSQL = `select pg_advisory_xact_lock(hashtextextended('docket signing keys', 0))`

// keysSQL reads all keys with the time of Postgres' clock.
const keysSQL = `select kid, sealed, created_at, signs_from, retired_at, now() from signing_keys order by signs_from, kid`

// addKeySQL adds a key ($1 kid, $2 sealed) that signs in $3 seconds.
const addKeySQL = `insert into signing_keys (kid, sealed, signs_from) values ($1, $2, now() + make_interval(secs => $3)) returning signs_from`

// retireKeySQL retires a key ($1) and forgets its private key.
const retireKeySQL = `update signing_keys set retired_at = now(), sealed = '' where kid = $1 and retired_at is null`

// deleteKeysSQL deletes up to $2 keys that were retired, or verify no more, for longer than
// $1 seconds.
const deleteKeysSQL = `delete from signing_keys where kid in (
  select kid from (
    select kid, lead(signs_from) over (order by signs_from, kid) as ended from signing_keys where retired_at is null
    union all
    select kid, retired_at from signing_keys where retired_at is not null) k
  where ended < now() - make_interval(secs => $1) order by ended limit $2)`

// KeyState is what a managed key does.
type KeyState string

// The states of a managed key, in the order of its life.
const (
	KeyWaits    KeyState = "waits"    // is published, and signs from a time on
	KeySigns    KeyState = "signs"    // signs and verifies
	KeyVerifies KeyState = "verifies" // another one signs; its tokens are valid
	KeyEnded    KeyState = "ended"    // its tokens have expired
	KeyRetired  KeyState = "retired"  // an operator has ended it
)

// ManagedKey is a key in the database, without its secret.
type ManagedKey struct {
	ID        string     `json:"kid"`
	State     KeyState   `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	SignsFrom time.Time  `json:"signs_from"`
	Verifies  *time.Time `json:"verifies_until"` // nil: until another one signs
	RetiredAt *time.Time `json:"retired_at"`

	sealed []byte
}

// KeyStore has the managed keys of access tokens: pairs of Ed25519 keys in the database, the
// private keys sealed under the master key. Its methods may be called from any goroutine.
type KeyStore struct {
	pool *pgxpool.Pool
	box  *seal.Box
}

// NewKeyStore makes a KeyStore over a pool of the engine role. All replicas have the same
// master key, of at least 32 bytes.
func NewKeyStore(pool *pgxpool.Pool, masterKey []byte) (*KeyStore, error) {
	box, err := seal.New(masterKey, "docket signing keys v1")
	if err != nil {
		return nil, err
	}
	return &KeyStore{pool, box}, nil
}

// List reads all keys, in the order in which they begin to sign.
func (s *KeyStore) List(ctx context.Context) ([]ManagedKey, error) { return listKeys(ctx, s.pool) }

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func listKeys(ctx context.Context, from querier) ([]ManagedKey, error) {
	rows, err := from.Query(ctx, keysSQL)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", eventstore.Unreachable(err))
	}
	var now time.Time
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k ManagedKey, err error) {
		return k, row.Scan(&k.ID, &k.sealed, &k.CreatedAt, &k.SignsFrom, &k.RetiredAt, &now)
	})
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", eventstore.Unreachable(err))
	}
	var next *ManagedKey // the one that signs after the key
	for i := len(keys) - 1; i >= 0; i-- {
		k := &keys[i]
		if k.RetiredAt != nil {
			k.State = KeyRetired
			continue
		}
		k.State = KeySigns
		if next != nil {
			k.Verifies = new(next.SignsFrom.Add(keyOverlap))
		}
		switch {
		case k.SignsFrom.After(now):
			k.State = KeyWaits
		case next == nil || next.SignsFrom.After(now):
		case k.Verifies.After(now):
			k.State = KeyVerifies
		default:
			k.State = KeyEnded
		}
		next = k
	}
	return keys, nil
}

// load reads the keys with their secrets that weren't retired.
func (s *KeyStore) load(ctx context.Context) ([]SigningKey, error) {
	stored, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	var keys []SigningKey
	for _, k := range stored {
		if k.State == KeyRetired || k.State == KeyEnded {
			continue
		}
		// What verifies is made of the sealed half as well: a row that somebody has written
		// without the master key makes no token valid.
		seed, err := s.box.Open(k.sealed, k.ID)
		if err != nil {
			return nil, fmt.Errorf("signing key %s was sealed under another DOCKET_MASTER_KEY: %w", k.ID, err)
		}
		key := keyPairOf(seed)
		key.signsFrom = k.SignsFrom
		keys = append(keys, key)
	}
	return keys, nil
}

// Ensure adds a key that signs at once, unless there is one that signs.
func (s *KeyStore) Ensure(ctx context.Context) error {
	return s.change(ctx, func(tx pgx.Tx, keys []ManagedKey) error {
		if _, ok := signingOf(keys); ok {
			return nil
		}
		_, err := s.add(ctx, tx, 0)
		return err
	})
}

// Rotate adds a key that signs after a lead of at least 15 seconds, in which it is only
// published, and returns it. Error: ErrKeyRefused where there are many already.
func (s *KeyStore) Rotate(ctx context.Context, lead time.Duration) (k ManagedKey, err error) {
	err = s.change(ctx, func(tx pgx.Tx, keys []ManagedKey) error {
		inUse := 0
		for _, k := range keys {
			if k.State != KeyRetired && k.State != KeyEnded {
				inUse++
			}
		}
		if inUse >= maxManaged {
			return fmt.Errorf("%w: there are %d already", ErrKeyRefused, inUse)
		}
		k, err = s.add(ctx, tx, max(lead, minLead))
		return err
	})
	return k, err
}

// ErrKeyRefused is of a change of keys that isn't possible; the text says why.
var ErrKeyRefused = errors.New("the signing keys stay as they are")

// Retire ends a key: within seconds no replica takes its tokens. Error: ErrKeyRefused where
// there is no such key, or none would sign any more.
func (s *KeyStore) Retire(ctx context.Context, id string) error {
	return s.change(ctx, func(tx pgx.Tx, keys []ManagedKey) error {
		var others []ManagedKey
		found := false
		for _, k := range keys {
			switch {
			case k.ID != id:
				others = append(others, k)
			case k.State == KeyRetired:
				return fmt.Errorf("%w: %s was retired at %s", ErrKeyRefused, id, k.RetiredAt.UTC().Format(time.RFC3339))
			default:
				found = true
			}
		}
		if !found {
			return fmt.Errorf("%w: there is no key %s", ErrKeyRefused, id)
		}
		if _, ok := signingOf(others); !ok {
			for _, k := range others {
				if k.State == KeyWaits {
					return fmt.Errorf("%w: the next key signs from %s on; retire this one after that", ErrKeyRefused, k.SignsFrom.UTC().Format(time.RFC3339))
				}
			}
			return fmt.Errorf("%w: no other key signs; rotate first", ErrKeyRefused)
		}
		_, err := tx.Exec(ctx, retireKeySQL, id)
		return err
	})
}

func signingOf(keys []ManagedKey) (ManagedKey, bool) {
	for _, k := range keys {
		if k.State == KeySigns {
			return k, true
		}
	}
	return ManagedKey{}, false
}

func (s *KeyStore) add(ctx context.Context, tx pgx.Tx, lead time.Duration) (ManagedKey, error) {
	key := newKeyPair()
	added := ManagedKey{ID: key.ID, State: KeyWaits}
	if lead <= 0 {
		added.State = KeySigns
	}
	err := tx.QueryRow(ctx, addKeySQL, key.ID, s.box.Seal(key.private.Seed(), key.ID), lead.Seconds()).Scan(&added.SignsFrom)
	added.CreatedAt = added.SignsFrom.Add(-lead)
	return added, err
}

// change runs a change of the keys, one at a time on all replicas.
func (s *KeyStore) change(ctx context.Context, do func(pgx.Tx, []ManagedKey) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, keysLockSQL); err != nil {
			return err
		}
		keys, err := listKeys(ctx, tx)
		if err != nil {
			return err
		}
		return do(tx, keys)
	})
	if err != nil && !errors.Is(err, ErrKeyRefused) {
		return fmt.Errorf("change signing keys: %w", eventstore.Unacknowledged(err))
	}
	return err
}

// DeleteEndedKeys deletes up to limit keys that ended longer than age ago, and returns how
// many. pool is of the engine role.
func DeleteEndedKeys(ctx context.Context, pool *pgxpool.Pool, age time.Duration, limit int) (int, error) {
	return deleteOlder(ctx, pool, "ended signing keys", deleteKeysSQL, max(age, 2*keyOverlap), limit)
}
