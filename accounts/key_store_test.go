package accounts_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"docket/accounts"
	"docket/domain"
	"docket/internal/pgtest"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5/pgxpool"
)

// keyWorld is a database with managed keys, and replicas that read them.
type keyWorld struct {
	*testing.T
	pool  *pgxpool.Pool
	store *accounts.KeyStore
}

var keysMaster = bytes.Repeat([]byte("m"), 32)

func newKeyWorld(t *testing.T) *keyWorld {
	t.Helper()
	w := &keyWorld{T: t, pool: pgtest.New(t).Engine(t)}
	var err error
	if w.store, err = accounts.NewKeyStore(w.pool, keysMaster); err != nil {
		t.Fatal(err)
	}
	return w
}

// replica is a replica that has started, with configured keys that only verify.
func (w *keyWorld) replica(configured ...accounts.SigningKey) *accounts.Tokens {
	w.Helper()
	tokens, err := accounts.NewTokens(accounts.TokenConfig{
		Configured: configured, Managed: w.store, Issuer: "docket",
	})
	if err != nil {
		w.Fatal(err)
	}
	if err := tokens.Start(w.Context()); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(tokens.Stop)
	return tokens
}

func (w *keyWorld) states() string {
	w.Helper()
	keys, err := w.store.List(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	var states []string
	for _, k := range keys {
		states = append(states, string(k.State))
	}
	return strings.Join(states, " ")
}

// backdate makes it so much later for the keys.
func (w *keyWorld) backdate(by time.Duration) {
	w.Helper()
	if _, err := w.pool.Exec(w.Context(), `update signing_keys set signs_from = signs_from - make_interval(secs => $1)`, by.Seconds()); err != nil {
		w.Fatal(err)
	}
}

func (w *keyWorld) issue(by *accounts.Tokens) string {
	w.Helper()
	token, _, err := by.Issue(domain.UserID{1}, [16]byte{2})
	if err != nil {
		w.Fatal(err)
	}
	return token
}

func (w *keyWorld) taken(by *accounts.Tokens, token string, taken bool) {
	w.Helper()
	if _, err := by.Verify(w.Context(), token); (err == nil) != taken {
		w.Errorf("taken: %t, %v; want %t", err == nil, err, taken)
	}
}

// Replicas that start at once agree on one key.
func TestOneFirstKey(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	replicas := make([]*accounts.Tokens, 4)
	var all sync.WaitGroup
	for i := range replicas {
		all.Go(func() { replicas[i] = w.replica() })
	}
	all.Wait()
	if got := w.states(); got != "signs" {
		t.Fatalf("keys: %s", got)
	}
	for _, r := range replicas {
		w.taken(replicas[0], w.issue(r), true)
	}
}

// A key is published before it signs, and what it or the one before has signed stays valid
// until it has expired, on each replica whether it has read the keys again or not.
func TestKeysRotate(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	one, other := w.replica(), w.replica()
	old := w.issue(one)
	added, err := w.store.Rotate(t.Context(), 0)
	if err != nil || added.SignsFrom.Sub(added.CreatedAt) != 15*time.Second {
		t.Fatalf("%+v %v; want it to sign after 15 s, when all replicas have read it", added, err)
	}
	if got := w.states(); got != "signs waits" {
		t.Errorf("keys: %s", got)
	}
	reload := func(replicas ...*accounts.Tokens) {
		t.Helper()
		for _, r := range replicas {
			if err := r.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	reload(one)
	if keys := one.PublicKeys(); len(keys) != 2 || keys[1].ID != added.ID {
		t.Errorf("published %+v, want the key that waits too", keys)
	}
	w.taken(other, w.issue(one), true)

	w.backdate(20 * time.Second)
	reload(one)
	if got := w.states(); got != "verifies signs" {
		t.Errorf("keys: %s", got)
	}
	young := w.issue(one)
	w.taken(one, old, true)
	// A key that isn't known is looked for, once a second.
	tenanttest.Eventually(t, "a token of a key that another replica has read", func() (bool, any) {
		_, err := other.Verify(t.Context(), young)
		return err == nil, err
	})

	w.backdate(time.Hour)
	reload(one)
	if got := w.states(); got != "ended signs" {
		t.Errorf("keys: %s", got)
	}
	w.taken(one, old, false)
	w.taken(one, young, true)
	if n, err := accounts.DeleteEndedKeys(t.Context(), w.pool, 0, 10); err != nil || n != 0 {
		t.Errorf("deleted %d keys that had ended just now, %v", n, err)
	}
	w.backdate(3 * time.Hour)
	if n, err := accounts.DeleteEndedKeys(t.Context(), w.pool, 0, 10); err != nil || n != 1 || w.states() != "signs" {
		t.Errorf("deleted %d, %v; left %s", n, err, w.states())
	}
}

// A retired key's tokens are refused, and it is never the last that signs.
func TestKeysRetire(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	replica := w.replica()
	leaked, old := replica.PublicKeys()[0].ID, w.issue(replica)
	w.taken(replica, old, true) // and is cached
	refused := func(id, why string) {
		t.Helper()
		if err := w.store.Retire(t.Context(), id); !errors.Is(err, accounts.ErrKeyRefused) || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %q", err, why)
		}
	}
	refused(leaked, "rotate first")
	refused("nonesuch", "there is no key nonesuch")
	if _, err := w.store.Rotate(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	refused(leaked, "the next key signs from")
	w.backdate(2 * time.Minute)
	if err := w.store.Retire(t.Context(), leaked); err != nil {
		t.Fatal(err)
	}
	refused(leaked, "was retired at")
	if err := replica.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.taken(replica, old, false)
	w.taken(replica, w.issue(replica), true)
	var kept int
	if err := w.pool.QueryRow(t.Context(), `select length(sealed) from signing_keys where kid = $1`, leaked).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d bytes of the private key are kept, %v", kept, err)
	}
}

func TestNoMoreThanTenKeys(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	w.replica()
	for range 9 {
		if _, err := w.store.Rotate(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.store.Rotate(t.Context(), time.Hour); !errors.Is(err, accounts.ErrKeyRefused) {
		t.Error(err)
	}
}

// A key needs the master key: writing into the table makes none.
func TestKeysOfAnotherMaster(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	replica := w.replica()
	foreign, err := accounts.NewKeyStore(w.pool, bytes.Repeat([]byte("x"), 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.Rotate(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := replica.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "another DOCKET_MASTER_KEY") {
		t.Error(err)
	}
	if keys := replica.PublicKeys(); len(keys) != 1 {
		t.Errorf("published %+v, want what was known", keys)
	}
	w.taken(replica, w.issue(replica), true)
	// A row under another id is none of ours either.
	if _, err := w.pool.Exec(t.Context(), `delete from signing_keys where sealed <> (select sealed from signing_keys order by created_at limit 1)`); err != nil {
		t.Fatal(err)
	}
	if _, err := w.pool.Exec(t.Context(), `update signing_keys set kid = 'another'`); err != nil {
		t.Fatal(err)
	}
	if err := replica.Reload(t.Context()); err == nil {
		t.Error("a key under another id was read")
	}
}

// Secrets that are configured verify beside the managed keys, and one id names one key.
func TestConfiguredKeysBesideManaged(t *testing.T) {
	t.Parallel()
	w := newKeyWorld(t)
	secret := accounts.SigningKey{ID: "shared", Secret: bytes.Repeat([]byte("s"), 32)}
	signs, err := accounts.NewTokens(accounts.TokenConfig{
		Configured: []accounts.SigningKey{secret}, ConfiguredSigns: true, Managed: w.store, Issuer: "docket",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := signs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(signs.Stop)
	if w.states() != "" || len(signs.PublicKeys()) != 0 {
		t.Errorf("a server that signs with a shared secret has made keys: %s", w.states())
	}
	managed := w.replica(secret)
	w.taken(managed, w.issue(signs), true)
	if err := signs.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.taken(signs, w.issue(managed), true)

	twice, err := accounts.NewTokens(accounts.TokenConfig{
		Configured: []accounts.SigningKey{{ID: managed.PublicKeys()[0].ID, Secret: secret.Secret}}, Managed: w.store, Issuer: "docket",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := twice.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "two signing keys have the id") {
		twice.Stop()
		t.Error(err)
	}
}
