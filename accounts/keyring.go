package accounts

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// keyOverlap is how long a key verifies after another has begun to sign: more than a token
// lives, and than two clocks are apart.
const keyOverlap = time.Hour

// keyring is a set of keys by their ids. It doesn't change once it is made.
type keyring struct {
	keys map[string]SigningKey
	// configured signs where there is one; else the youngest of managed, which are in the
	// order in which they begin to sign.
	configured SigningKey
	managed    []SigningKey
}

// newKeyring makes a keyring of the keys that are configured and of managed ones. signs: the
// first configured one signs.
func newKeyring(configured []SigningKey, signs bool, managed []SigningKey) (*keyring, error) {
	r := &keyring{keys: map[string]SigningKey{}}
	for _, k := range configured {
		if err := k.check(); err != nil {
			return nil, err
		}
		if err := r.add(k); err != nil {
			return nil, err
		}
	}
	if signs {
		if len(configured) == 0 {
			return nil, errors.New("at least one signing key is required")
		}
		r.configured = configured[0]
	}
	r.managed = slices.Clone(managed)
	slices.SortFunc(r.managed, func(a, b SigningKey) int { return a.signsFrom.Compare(b.signsFrom) })
	for i := range r.managed {
		if i+1 < len(r.managed) {
			r.managed[i].verifiesUntil = r.managed[i+1].signsFrom.Add(keyOverlap)
		}
		if err := r.add(r.managed[i]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *keyring) add(k SigningKey) error {
	if _, twice := r.keys[k.ID]; twice {
		return fmt.Errorf("two signing keys have the id %q", k.ID)
	}
	r.keys[k.ID] = k
	return nil
}

// signing is the key that signs at a time. ok is false where there is none.
func (r *keyring) signing(at time.Time) (k SigningKey, ok bool) {
	if r.configured.ID != "" {
		return r.configured, true
	}
	for _, k := range slices.Backward(r.managed) {
		if !k.signsFrom.After(at) {
			return k, true
		}
	}
	return SigningKey{}, false
}

// verifying is the key of an id whose tokens are valid at a time.
func (r *keyring) verifying(id string, at time.Time) (k SigningKey, ok bool) {
	k, ok = r.keys[id]
	return k, ok && k.verifies(at)
}

// PublicKey is an Ed25519 key that others verify tokens with (RFC 8037).
type PublicKey struct {
	KeyType   string `json:"kty" enum:"OKP"`
	Curve     string `json:"crv" enum:"Ed25519"`
	Algorithm string `json:"alg" enum:"EdDSA"`
	Use       string `json:"use" enum:"sig"`
	ID        string `json:"kid"`
	X         string `json:"x"`
}

// public are the public keys of tokens that are valid at a time, or will be: a key is
// published before it signs.
func (r *keyring) public(at time.Time) []PublicKey {
	list := []PublicKey{}
	for _, k := range r.managed {
		if k.verifies(at) {
			list = append(list, PublicKey{KeyType: "OKP", Curve: "Ed25519", Algorithm: "EdDSA", Use: "sig", ID: k.ID, X: k.x()})
		}
	}
	return list
}
