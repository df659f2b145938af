package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"docket/domain"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// TokenLifetime is how long an access token is valid.
	TokenLifetime = 15 * time.Minute
	// TokenLeeway is how far two replicas' clocks may be apart.
	TokenLeeway = 30 * time.Second
	// tokenType keeps other kinds of tokens from being used as access tokens (RFC 9068).
	tokenType = "at+jwt"
	// tokenAudience is the audience of the tokens.
	tokenAudience = "docket-api"
	// tokensKept is how many verified tokens are cached, each of some 500 bytes.
	tokensKept = 10_000
	// keysEvery is how often the managed keys are read again, and keysAtLeast the least
	// time between two readings for the sake of tokens of unknown keys.
	keysEvery   = 5 * time.Second
	keysAtLeast = time.Second
)

// TokenConfig configures Tokens.
type TokenConfig struct {
	// Configured are HS256 keys; all verify.
	Configured []SigningKey
	// ConfiguredSigns says that the first of them signs, not a managed one.
	ConfiguredSigns bool
	// Managed has the managed keys; nil: there are none.
	Managed *KeyStore
	// Issuer is the issuer of the tokens, the same on all replicas.
	Issuer string
	// Now is the clock; time.Now if nil.
	Now    func() time.Time
	Logger *slog.Logger
}

// Tokens issues and verifies access tokens: JWT with EdDSA or HS256, each key with its own
// algorithm. Its methods may be called from any goroutine.
type Tokens struct {
	cfg    TokenConfig
	parser *jwt.Parser
	ring   atomic.Pointer[keyring]
	// verified caches valid tokens with their identity: a busy client sends the
	// same token thousands of times.
	verified *lru.Cache[string, verifiedToken]

	reading sync.Mutex
	read    time.Time // when the managed keys were last read

	stop context.CancelFunc
	done chan struct{}
}

// claims are the claims of a token. It names a user and a session, never a role or a
// tenant.
type claims struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
}

// Identity is the user, the session and the expiry of an access token; of an API key, the
// service account.
type Identity struct {
	User domain.UserID
	// Tenant is the one tenant of a service account; zero for a user.
	Tenant  domain.TenantID
	Session uuid.UUID
	Expires time.Time
}

// Service reports whether it is a service account's.
func (i Identity) Service() bool { return !i.Tenant.IsZero() }

// verifiedToken is what a token says, and the key that has signed it.
type verifiedToken struct {
	identity Identity
	key      string
}

// NewTokens makes Tokens with the configured keys; Start adds the managed ones. Error: keys
// that are too short, or whose id isn't unique.
func NewTokens(cfg TokenConfig) (*Tokens, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ring, err := newKeyring(cfg.Configured, cfg.ConfiguredSigns, nil)
	if err != nil {
		return nil, err
	}
	t := &Tokens{cfg: cfg}
	t.ring.Store(ring)
	if t.verified, err = lru.New[string, verifiedToken](tokensKept); err != nil {
		return nil, err
	}
	t.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg(), jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(cfg.Issuer), jwt.WithAudience(tokenAudience),
		jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(TokenLeeway), jwt.WithTimeFunc(cfg.Now), jwt.WithStrictDecoding(),
	)
	return t, nil
}

// Start reads the managed keys, creates the first one where a managed one signs and there
// is none, and reads them again every few seconds until Stop.
func (t *Tokens) Start(ctx context.Context) error {
	if t.cfg.Managed == nil {
		return nil
	}
	if !t.cfg.ConfiguredSigns {
		if err := t.cfg.Managed.Ensure(ctx); err != nil {
			return err
		}
	}
	if err := t.Reload(ctx); err != nil {
		return err
	}
	ctx, t.stop = context.WithCancel(context.WithoutCancel(ctx))
	t.done = make(chan struct{})
	go t.keepReading(ctx)
	return nil
}

// Stop ends the readings.
func (t *Tokens) Stop() {
	if t.stop != nil {
		t.stop()
		<-t.done
	}
}

func (t *Tokens) keepReading(ctx context.Context) {
	defer close(t.done)
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		within, cancel := context.WithTimeout(ctx, keysEvery)
		if err := t.Reload(within); err != nil && ctx.Err() == nil {
			t.cfg.Logger.WarnContext(ctx, "the signing keys can't be read again; those that are known stay", "error", err)
		}
		cancel()
	}
}

// Reload reads the managed keys. What was known stays where that fails.
func (t *Tokens) Reload(ctx context.Context) error {
	if t.cfg.Managed == nil {
		return nil
	}
	t.reading.Lock()
	defer t.reading.Unlock()
	return t.reload(ctx)
}

// reload is Reload for a caller that holds reading.
func (t *Tokens) reload(ctx context.Context) error {
	t.read = time.Now()
	managed, err := t.cfg.Managed.load(ctx)
	if err != nil {
		return err
	}
	ring, err := newKeyring(t.cfg.Configured, t.cfg.ConfiguredSigns, managed)
	if err != nil {
		return err
	}
	before := t.ring.Swap(ring)
	for id := range ring.keys {
		if _, known := before.keys[id]; !known {
			t.cfg.Logger.InfoContext(ctx, "signing key added", "kid", id)
		}
	}
	for id := range before.keys {
		if _, known := ring.keys[id]; !known {
			t.cfg.Logger.InfoContext(ctx, "signing key ended", "kid", id)
		}
	}
	return nil
}

// PublicKeys are the public keys of the managed keys.
func (t *Tokens) PublicKeys() []PublicKey { return t.ring.Load().public(t.cfg.Now()) }

// Issue returns a new access token and its lifetime.
func (t *Tokens) Issue(u domain.UserID, session uuid.UUID) (string, time.Duration, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return "", 0, fmt.Errorf("token id: %w", err)
	}
	now := t.cfg.Now()
	key, ok := t.ring.Load().signing(now)
	if !ok {
		return "", 0, errors.New("there is no key that signs access tokens")
	}
	token := jwt.NewWithClaims(key.method(), claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: t.cfg.Issuer, Subject: u.String(), Audience: jwt.ClaimStrings{tokenAudience}, ID: id.String(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(TokenLifetime)),
		},
		Session: session.String(),
	})
	token.Header["typ"], token.Header["kid"] = tokenType, key.ID
	signed, err := token.SignedString(key.toSign())
	if err != nil {
		return "", 0, fmt.Errorf("sign token: %w", err)
	}
	return signed, TokenLifetime, nil
}

// compactForm is three parts of base64url. It is checked first because the parser
// accepts a line break at the end.
var compactForm = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)

// Verify returns the identity of a token, or CodeTokenExpired or CodeUnauthenticated. The
// caller checks the session. A key that was retired is taken for some seconds more.
func (t *Tokens) Verify(ctx context.Context, token string) (Identity, error) {
	now := t.cfg.Now()
	if v, ok := t.verified.Get(token); ok && now.Before(v.identity.Expires) {
		if _, ok := t.ring.Load().verifying(v.key, now); ok {
			return v.identity, nil
		}
	}
	v, err := t.parse(ctx, token)
	if err == nil {
		t.verified.Add(token, v)
	}
	return v.identity, err
}

func (t *Tokens) parse(ctx context.Context, token string) (verifiedToken, error) {
	refused := domain.Refuse(domain.CodeUnauthenticated, "the access token isn't valid")
	if !compactForm.MatchString(token) {
		return verifiedToken{}, refused
	}
	var c claims
	parsed, err := t.parser.ParseWithClaims(token, &c, func(token *jwt.Token) (any, error) { return t.keyOf(ctx, token) })
	if errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		return verifiedToken{}, domain.Refuse(domain.CodeTokenExpired, "the access token expired")
	}
	if err != nil {
		return verifiedToken{}, refused
	}
	user, err := domain.ParseID[any](c.Subject)
	if err != nil || user.IsZero() {
		return verifiedToken{}, refused
	}
	session, err := uuid.Parse(c.Session)
	if err != nil {
		return verifiedToken{}, refused
	}
	who := Identity{User: domain.UserID(user), Session: session, Expires: c.ExpiresAt.Time}
	return verifiedToken{who, parsed.Header["kid"].(string)}, nil
}

// keyOf returns the key that a token names. It refuses other kinds of tokens, critical
// extensions and another algorithm than the key's (RFC 8725).
func (t *Tokens) keyOf(ctx context.Context, token *jwt.Token) (any, error) {
	if token.Header["typ"] != tokenType {
		return nil, errors.New("not an access token")
	}
	if _, critical := token.Header["crit"]; critical {
		return nil, errors.New("critical extensions aren't understood")
	}
	id, _ := token.Header["kid"].(string)
	key, ok := t.ring.Load().verifying(id, t.cfg.Now())
	if !ok && t.readForUnknown(ctx) {
		key, ok = t.ring.Load().verifying(id, t.cfg.Now())
	}
	if !ok {
		return nil, errors.New("unknown key")
	}
	if token.Method != key.method() {
		return nil, errors.New("another algorithm than the key's")
	}
	return key.toVerify(), nil
}

// readForUnknown reads the managed keys for a token whose key isn't known: another replica
// may sign with a new one already. It reports whether it has; it doesn't where they were
// read just now, or are being read.
func (t *Tokens) readForUnknown(ctx context.Context) bool {
	if t.cfg.Managed == nil || !t.reading.TryLock() {
		return false
	}
	defer t.reading.Unlock()
	if time.Since(t.read) < keysAtLeast {
		return false
	}
	return t.reload(ctx) == nil
}
