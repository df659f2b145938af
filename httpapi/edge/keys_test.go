package edge

import (
	"bytes"
	"encoding/base64"
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
	old, next := SigningKey{"old", bytes.Repeat([]byte("o"), 32)}, SigningKey{"new", bytes.Repeat([]byte("n"), 32)}
	made := func(keys ...SigningKey) *Tokens {
		tokens, err := NewTokens(keys, "docket", clock)
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
	if who, err := made(next, old).Verify(before); err != nil || who.User != user || who.Session != [16]byte{2} {
		t.Errorf("%+v %v", who, err)
	}
	if _, err := made(next).Verify(before); domain.CodeOf(err) != domain.CodeUnauthenticated {
		t.Error(err)
	}
	if after, _, err := made(next, old).Issue(user, [16]byte{2}); err != nil || keyID(t, after) != "new" {
		t.Error(after, err)
	}
	for shift, code := range map[time.Duration]domain.Code{
		-tokenLeeway: "", -tokenLeeway - 2*time.Second: domain.CodeUnauthenticated,
		lifetime + tokenLeeway - 2*time.Second: "", lifetime + tokenLeeway + time.Second: domain.CodeTokenExpired,
	} {
		now = issued.Add(shift)
		if _, err := made(old).Verify(before); err != nil && domain.CodeOf(err) != code || err == nil && code != "" {
			t.Errorf("after %s: %v, want %q", shift, err, code)
		}
	}
}

func TestSigningKeysAreChecked(t *testing.T) {
	t.Parallel()
	good := SigningKey{"a", bytes.Repeat([]byte("a"), 32)}
	for name, keys := range map[string][]SigningKey{
		"none": {}, "short": {{"a", good.Secret[:31]}}, "a short second": {good, {"b", nil}}, "no id": {{"", good.Secret}}, "one id twice": {good, good},
	} {
		if _, err := NewTokens(keys, "docket", time.Now); err == nil {
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
