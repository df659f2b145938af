package accounts

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"docket/domain"
)

// Keys are rotated: the first signs, all verify, and what was taken out doesn't.
func TestSigningKeysRotate(t *testing.T) {
	t.Parallel()
	issued := time.Now()
	now := issued
	clock := func() time.Time { return now }
	old, next := SigningKey{ID: "old", Secret: bytes.Repeat([]byte("o"), 32)}, SigningKey{ID: "new", Secret: bytes.Repeat([]byte("n"), 32)}
	made := func(keys ...SigningKey) *Tokens {
		tokens, err := NewTokens(TokenConfig{Configured: keys, ConfiguredSigns: true, Issuer: "docket", Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	user := domain.UserID{1}
	before, lifetime, err := made(old).Issue(user, [16]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	if who, err := made(next, old).Verify(t.Context(), before); err != nil || who.User != user || who.Session != [16]byte{2} {
		t.Errorf("%+v %v", who, err)
	}
	if _, err := made(next).Verify(t.Context(), before); domain.CodeOf(err) != domain.CodeUnauthenticated {
		t.Error(err)
	}
	if after, _, err := made(next, old).Issue(user, [16]byte{2}); err != nil || keyID(t, after) != "new" {
		t.Error(after, err)
	}
	for shift, code := range map[time.Duration]domain.Code{
		-TokenLeeway: "", -TokenLeeway - 2*time.Second: domain.CodeUnauthenticated,
		lifetime + TokenLeeway - 2*time.Second: "", lifetime + TokenLeeway + time.Second: domain.CodeTokenExpired,
	} {
		now = issued.Add(shift)
		if _, err := made(old).Verify(t.Context(), before); err != nil && domain.CodeOf(err) != code || err == nil && code != "" {
			t.Errorf("after %s: %v, want %q", shift, err, code)
		}
	}
}

func TestSigningKeysAreChecked(t *testing.T) {
	t.Parallel()
	good := SigningKey{ID: "a", Secret: bytes.Repeat([]byte("a"), 32)}
	for name, keys := range map[string][]SigningKey{
		"none": {}, "short": {{ID: "a", Secret: good.Secret[:31]}}, "a short second": {good, {ID: "b"}}, "no id": {{Secret: good.Secret}}, "one id twice": {good, good},
	} {
		if _, err := NewTokens(TokenConfig{Configured: keys, ConfiguredSigns: true, Issuer: "docket"}); err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), string(good.Secret[:8])) {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
	text := base64.StdEncoding.EncodeToString(good.Secret)
	for in, fits := range map[string]bool{
		"a:" + text: true, "a:" + strings.TrimRight(text, "="): true, "a:b:" + text: false, "a": false, "": false, "a:!": false, ":" + text: true,
	} {
		key, err := ParseSigningKey(in)
		if (err == nil) != fits || fits && !bytes.Equal(key.Secret, good.Secret) {
			t.Errorf("%q: %+v %v", in, key, err)
		}
	}
}

// keyID is the kid in a token's header.
func keyID(t *testing.T, token string) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, &jwt.RegisteredClaims{})
	if err != nil {
		t.Fatal(err)
	}
	id, _ := parsed.Header["kid"].(string)
	return id
}

// The public half of a pair is no secret, and each key has one algorithm (RFC 8725, 2.1).
func TestAlgorithmsAreTheKeys(t *testing.T) {
	t.Parallel()
	pair := newKeyPair()
	secret := SigningKey{ID: "shared", Secret: bytes.Repeat([]byte("s"), 32)}
	ring, err := newKeyring([]SigningKey{secret}, false, []SigningKey{pair})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := NewTokens(TokenConfig{Issuer: "docket"})
	if err != nil {
		t.Fatal(err)
	}
	tokens.ring.Store(ring)
	token, _, err := tokens.Issue(domain.UserID{1}, [16]byte{2})
	if err != nil || keyID(t, token) != pair.ID {
		t.Fatal(token, err)
	}
	if _, err := tokens.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	public := pair.toVerify().(ed25519.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(ring.public(time.Now())[0])
	if err != nil {
		t.Fatal(err)
	}
	forge := func(method jwt.SigningMethod, kid string, key any) string {
		t.Helper()
		forged := jwt.NewWithClaims(method, parsed.Claims)
		forged.Header["typ"], forged.Header["kid"] = tokenType, kid
		text, err := forged.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if _, err := tokens.Verify(t.Context(), forge(jwt.SigningMethodHS256, secret.ID, secret.Secret)); err != nil {
		t.Errorf("a token of the shared secret: %v", err)
	}
	for name, forged := range map[string]string{
		"HS256 with the public key":         forge(jwt.SigningMethodHS256, pair.ID, []byte(public)),
		"HS256 with its base64":             forge(jwt.SigningMethodHS256, pair.ID, []byte(pair.x())),
		"HS256 with its DER":                forge(jwt.SigningMethodHS256, pair.ID, der),
		"HS256 with its PEM":                forge(jwt.SigningMethodHS256, pair.ID, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"HS256 with its JWK":                forge(jwt.SigningMethodHS256, pair.ID, jwk),
		"HS256 with the secret, its id":     forge(jwt.SigningMethodHS256, pair.ID, secret.Secret),
		"EdDSA of another pair":             forge(jwt.SigningMethodEdDSA, pair.ID, newKeyPair().private),
		"EdDSA of another pair, its own id": forge(jwt.SigningMethodEdDSA, "another", newKeyPair().private),
		"EdDSA, the secret's id":            forge(jwt.SigningMethodEdDSA, secret.ID, pair.private),
	} {
		if _, err := tokens.Verify(t.Context(), forged); domain.CodeOf(err) != domain.CodeUnauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
}
