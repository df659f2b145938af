package accounts

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/uuid"
)

// Only what our key has signed is a token, in the one spelling that it has. Whatever else
// comes is refused, with a code of 401 and without a panic.
func FuzzToken(f *testing.F) {
	key := bytes.Repeat([]byte("k"), 32)
	tokens, err := NewTokens(TokenConfig{Configured: []SigningKey{{ID: "k", Secret: key}}, ConfiguredSigns: true, Issuer: "docket"})
	if err != nil {
		f.Fatal(err)
	}
	genuine, _, err := tokens.Issue(domain.UserID(uuid.Must(uuid.NewV7())), uuid.Must(uuid.NewV7()))
	if err != nil {
		f.Fatal(err)
	}
	for _, token := range []string{
		genuine, genuine + "\n", genuine + ".", "e30.e30.", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.", "..", "",
	} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		_, err := tokens.Verify(t.Context(), token)
		switch code := domain.CodeOf(err); {
		case err == nil:
			end := strings.LastIndexByte(token, '.')
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(token[:end]))
			if token[end+1:] != base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) {
				t.Errorf("%q is taken", token)
			}
		case token == genuine:
			t.Error(err)
		case code != domain.CodeUnauthenticated && code != domain.CodeTokenExpired:
			t.Errorf("%q: %s %v", token, code, err)
		}
	})
}
