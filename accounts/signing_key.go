package accounts

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MinSecret is the minimal length, in bytes, of the secret of an HS256 key (RFC 7518,
// section 3.2).
const MinSecret = 32

// SigningKey is a key of access tokens: a pair of Ed25519 keys, or the secret of HS256.
// The zero value is no key.
type SigningKey struct {
	// ID is the kid in the header of the tokens that it signs.
	ID string
	// Secret is that of an HS256 key; nil for a pair.
	Secret []byte

	private ed25519.PrivateKey
	// signsFrom is when the key signs, unless a younger one does; verifiesUntil is when its
	// tokens aren't valid any more. The zero value of either: always.
	signsFrom, verifiesUntil time.Time
}

// newKeyPair makes an Ed25519 key. Its id is its thumbprint (RFC 7638, RFC 8037), so no
// other key has it.
func newKeyPair() SigningKey {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // only where there is no randomness, which ends the program before
	}
	return keyPairOf(private.Seed())
}

// keyPairOf makes the Ed25519 key of a seed of 32 bytes.
func keyPairOf(seed []byte) SigningKey {
	k := SigningKey{private: ed25519.NewKeyFromSeed(seed)}
	thumbprint := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + k.x() + `"}`))
	k.ID = base64.RawURLEncoding.EncodeToString(thumbprint[:])
	return k
}

func (k SigningKey) x() string {
	return base64.RawURLEncoding.EncodeToString(k.private.Public().(ed25519.PublicKey))
}

// method is the only algorithm that the key is used with: a token can't choose another
// (RFC 8725, section 3.1).
func (k SigningKey) method() jwt.SigningMethod {
	if k.private != nil {
		return jwt.SigningMethodEdDSA
	}
	return jwt.SigningMethodHS256
}

func (k SigningKey) toSign() any {
	if k.private != nil {
		return k.private
	}
	return k.Secret
}

func (k SigningKey) toVerify() any {
	if k.private != nil {
		return k.private.Public()
	}
	return k.Secret
}

func (k SigningKey) verifies(at time.Time) bool {
	return k.verifiesUntil.IsZero() || at.Before(k.verifiesUntil)
}

// check returns what is wrong with a configured key, or nil.
func (k SigningKey) check() error {
	switch {
	case k.ID == "":
		return errors.New("a signing key has no id")
	case len(k.Secret) < MinSecret:
		return fmt.Errorf("signing key %q has %d bytes, fewer than %d", k.ID, len(k.Secret), MinSecret)
	}
	return nil
}

// ParseSigningKey parses an HS256 key, "kid:base64", standard alphabet, with or without
// padding.
func ParseSigningKey(s string) (SigningKey, error) {
	id, encoded, found := strings.Cut(s, ":")
	if !found {
		return SigningKey{}, errors.New(`a key is written "kid:base64"`)
	}
	secret, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		secret, err = base64.RawStdEncoding.DecodeString(encoded)
	}
	if err != nil {
		return SigningKey{}, fmt.Errorf("key %q isn't base64", id)
	}
	return SigningKey{ID: id, Secret: secret}, nil
}
