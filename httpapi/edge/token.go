package edge

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"time"

	"docket/domain"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// tokenLifetime is how long an access token is valid.
	tokenLifetime = 15 * time.Minute
	// tokenLeeway is how far two replicas' clocks may be apart.
	tokenLeeway = 30 * time.Second
	// tokenType keeps other kinds of tokens from being used as access tokens (RFC 9068).
	tokenType = "at+jwt"
	// tokenAudience is the audience of the tokens.
	tokenAudience = "docket-api"
	// tokensKept is how many verified tokens are cached, each of some 500 bytes.
	tokensKept = 10_000
	// minSigningKey is the minimal length, in bytes, of an HS256 key (RFC 7518, section 3.2).
	minSigningKey = 32
)

// SigningKey is a key for access tokens. ID is the kid in the tokens' header, so that
// keys can be rotated: the first signs, all verify.
type SigningKey struct {
	ID     string
	Secret []byte
}

// Tokens issues and verifies access tokens: JWT with HS256 and nothing else.
type Tokens struct {
	signing SigningKey
	keys    map[string][]byte
	issuer  string
	now     func() time.Time
	parser  *jwt.Parser
	// verified caches valid tokens with their identity: a busy client sends the
	// same token thousands of times.
	verified *lru.Cache[string, Identity]
}

// claims are the claims of a token. It names a user and a session, never a role or a
// tenant.
type claims struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
}

// Identity is the user, the session and the expiry of an access token.
type Identity struct {
	User    domain.UserID
	Session uuid.UUID
	Expires time.Time
}

func NewTokens(keys []SigningKey, issuer string, now func() time.Time) (*Tokens, error) {
	if len(keys) == 0 {
		return nil, errors.New("at least one signing key is required")
	}
	t := &Tokens{signing: keys[0], keys: map[string][]byte{}, issuer: issuer, now: now}
	for _, k := range keys {
		switch _, twice := t.keys[k.ID]; {
		case k.ID == "":
			return nil, errors.New("a signing key has no id")
		case twice:
			return nil, fmt.Errorf("two signing keys have the id %q", k.ID)
		case len(k.Secret) < minSigningKey:
			return nil, fmt.Errorf("signing key %q has %d bytes, fewer than %d", k.ID, len(k.Secret), minSigningKey)
		}
		t.keys[k.ID] = k.Secret
	}
	var err error
	if t.verified, err = lru.New[string, Identity](tokensKept); err != nil {
		return nil, err
	}
	t.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(tokenAudience),
		jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(tokenLeeway), jwt.WithTimeFunc(now), jwt.WithStrictDecoding(),
	)
	return t, nil
}

// Issue returns a new access token and its lifetime.
func (t *Tokens) Issue(u domain.UserID, session uuid.UUID) (string, time.Duration, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return "", 0, fmt.Errorf("token id: %w", err)
	}
	now := t.now()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: t.issuer, Subject: u.String(), Audience: jwt.ClaimStrings{tokenAudience}, ID: id.String(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(tokenLifetime)),
		},
		Session: session.String(),
	})
	token.Header["typ"], token.Header["kid"] = tokenType, t.signing.ID
	signed, err := token.SignedString(t.signing.Secret)
	if err != nil {
		return "", 0, fmt.Errorf("sign token: %w", err)
	}
	return signed, tokenLifetime, nil
}

// compactForm is three parts of base64url. It is checked first because the parser
// accepts a line break at the end.
var compactForm = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)

// Verify returns the identity of a token, or CodeTokenExpired or CodeUnauthenticated.
// A token that was valid once stays valid until it expires: the keys don't change
// while the server runs, and the gates check the session separately.
func (t *Tokens) Verify(token string) (Identity, error) {
	if who, ok := t.verified.Get(token); ok && t.now().Before(who.Expires) {
		return who, nil
	}
	who, err := t.read(token)
	if err == nil {
		t.verified.Add(token, who)
	}
	return who, err
}

func (t *Tokens) read(token string) (Identity, error) {
	refused := domain.Refuse(domain.CodeUnauthenticated, "the access token isn't valid")
	if !compactForm.MatchString(token) {
		return Identity{}, refused
	}
	var c claims
	_, err := t.parser.ParseWithClaims(token, &c, t.keyOf)
	if errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		return Identity{}, domain.Refuse(domain.CodeTokenExpired, "the access token expired")
	}
	if err != nil {
		return Identity{}, refused
	}
	user, err := domain.ParseID[any](c.Subject)
	if err != nil || user.IsZero() {
		return Identity{}, refused
	}
	session, err := uuid.Parse(c.Session)
	if err != nil {
		return Identity{}, refused
	}
	return Identity{User: domain.UserID(user), Session: session, Expires: c.ExpiresAt.Time}, nil
}

// keyOf returns the key that a token names. It refuses other kinds of tokens and
// critical extensions (RFC 8725).
func (t *Tokens) keyOf(token *jwt.Token) (any, error) {
	if token.Header["typ"] != tokenType {
		return nil, errors.New("not an access token")
	}
	if _, critical := token.Header["crit"]; critical {
		return nil, errors.New("critical extensions aren't understood")
	}
	id, _ := token.Header["kid"].(string)
	key, ok := t.keys[id]
	if !ok {
		return nil, errors.New("unknown key")
	}
	return key, nil
}

// ParseSigningKey parses "kid:base64", standard alphabet, with or without padding.
func ParseSigningKey(s string) (SigningKey, error) {
	for i := range len(s) {
		if s[i] != ':' {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(s[i+1:])
		if err != nil {
			secret, err = base64.RawStdEncoding.DecodeString(s[i+1:])
		}
		if err != nil {
			return SigningKey{}, fmt.Errorf("key %q isn't base64", s[:i])
		}
		return SigningKey{ID: s[:i], Secret: secret}, nil
	}
	return SigningKey{}, errors.New(`a key is written "kid:base64"`)
}
