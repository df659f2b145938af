package domain

import (
	"slices"
	"time"
)

// Limits of API keys.
const (
	// MaxAPIKeys is how many a tenant has that aren't revoked. Several that are created at
	// the same moment may exceed it by their number.
	MaxAPIKeys = 100
	// DefaultKeyLifetime and MaxKeyLifetime are how long a key is valid.
	DefaultKeyLifetime = 90 * 24 * time.Hour
	MaxKeyLifetime     = 366 * 24 * time.Hour
	// DefaultKeyOverlap and MaxKeyOverlap are how long the key before a rotation stays
	// valid.
	DefaultKeyOverlap = 24 * time.Hour
	MaxKeyOverlap     = 7 * 24 * time.Hour
)

// APIKey is the state of a service account and its key, folded from its stream in the
// tenant's log. The account's id is the actor of what is done with the key.
type APIKey struct {
	TenantID TenantID
	ID       UserID
	Name     string
	Role     Role
	// Actions narrow what the role may do; empty: they don't.
	Actions   []Action
	CreatedBy UserID
	CreatedAt time.Time
	// Secret names the present key, without revealing it; Prefix is how it begins.
	Secret    SecretID
	Prefix    string
	ExpiresAt time.Time
	// Previous names the key before the last rotation, which is valid until PreviousUntil.
	Previous      SecretID
	PreviousUntil time.Time
	Revoked       bool
	Version       int
}

// APIKeyCommand is one of CreateAPIKey, RotateAPIKey and RevokeAPIKey.
type APIKeyCommand interface{ apiKeyCommand() }

// NewKey names a key that was made, and says until when it is valid.
type NewKey struct {
	Secret SecretID
	Prefix string
	// ExpiresAt is at most MaxKeyLifetime from Now; DefaultKeyLifetime from it if nil.
	ExpiresAt *time.Time
	Now       time.Time
}

// CreateAPIKey makes a service account with a key. Its role is any but owner: a key
// can't give rights, its own included.
type CreateAPIKey struct {
	ID      UserID
	Name    string
	Role    Role
	Actions []Action
	Key     NewKey
}

// RotateAPIKey gives a service account another key. The present one stays valid for
// Overlap, and no longer than before; the one before it ends.
type RotateAPIKey struct {
	IfMatch IfMatch
	Key     NewKey
	Overlap time.Duration
}

// RevokeAPIKey ends a service account with its keys.
type RevokeAPIKey struct{ IfMatch IfMatch }

func (CreateAPIKey) apiKeyCommand() {}
func (RotateAPIKey) apiKeyCommand() {}
func (RevokeAPIKey) apiKeyCommand() {}

// DecideAPIKey decides a command on a service account. Errors, in the order of the
// checks: CodeValidationFailed, CodeNotFound, CodeInsufficientRole, CodeVersionConflict.
func DecideAPIKey(k APIKey, by Actor, c APIKeyCommand) ([]Event, error) {
	switch c := c.(type) {
	case CreateAPIKey:
		var f findings
		f.name("/name", c.Name, MaxName)
		oneOf(&f, "/role", c.Role, ServiceRoles()...)
		for _, a := range c.Actions {
			oneOf(&f, "/actions", a, ServiceActions()...)
		}
		c.Key.check(&f)
		if err := f.err(); err != nil {
			return nil, err
		}
		if err := Permit(APIKeyManage, by.Role, false, ""); err != nil {
			return nil, err
		}
		actions := append([]Action{}, c.Actions...)
		slices.Sort(actions)
		return []Event{APIKeyCreated{
			AccountID: c.ID, Name: c.Name, Role: c.Role, Actions: slices.Compact(actions),
			Secret: c.Key.Secret, Prefix: c.Key.Prefix, ExpiresAt: TimestampOf(c.Key.Expiry()),
		}}, nil
	case RotateAPIKey:
		return k.rotate(by, c)
	case RevokeAPIKey:
		if err := k.manage(by, c.IfMatch); err != nil {
			return nil, err
		}
		return []Event{APIKeyRevoked{AccountID: k.ID, Name: k.Name}}, nil
	}
	return nil, unknownCommand(c)
}

func (k APIKey) rotate(by Actor, c RotateAPIKey) ([]Event, error) {
	var f findings
	c.Key.check(&f)
	if c.Overlap < 0 || c.Overlap > MaxKeyOverlap {
		f.add("/overlap_seconds", "range", "must be from 0 to %d", int(MaxKeyOverlap.Seconds()))
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if err := k.manage(by, c.IfMatch); err != nil {
		return nil, err
	}
	until := c.Key.Now.Add(c.Overlap)
	if k.ExpiresAt.Before(until) {
		until = k.ExpiresAt
	}
	return []Event{APIKeyRotated{
		AccountID: k.ID, Name: k.Name, Secret: c.Key.Secret, Prefix: c.Key.Prefix,
		ExpiresAt: TimestampOf(c.Key.Expiry()), PreviousUntil: TimestampOf(until),
	}}, nil
}

// manage is nil if a member may change the service account now.
func (k APIKey) manage(by Actor, m IfMatch) error {
	if k.Version == 0 || k.Revoked {
		return NotFound("API key")
	}
	if err := Permit(APIKeyManage, by.Role, false, ""); err != nil {
		return err
	}
	return m.Check(k.Version)
}

// Expiry is when the key expires.
func (n NewKey) Expiry() time.Time {
	if n.ExpiresAt == nil {
		return n.Now.Add(DefaultKeyLifetime)
	}
	return *n.ExpiresAt
}

func (n NewKey) check(f *findings) {
	if e := n.Expiry(); !e.After(n.Now) || e.After(n.Now.Add(MaxKeyLifetime)) {
		f.add("/expires_at", "range", "must be in the future, at most %d days from now", int(MaxKeyLifetime.Hours()/24))
	}
}

// Valid reports whether a key of the service account is valid at a time.
func (k APIKey) Valid(secret SecretID, now time.Time) bool {
	switch {
	case k.Version == 0 || k.Revoked:
		return false
	case secret == k.Secret:
		return now.Before(k.ExpiresAt)
	}
	return secret == k.Previous && now.Before(k.PreviousUntil)
}

// Evolve folds one event of the service account's stream.
func (k APIKey) Evolve(r Recorded) (APIKey, error) {
	switch e := r.Event.(type) {
	case APIKeyCreated:
		k = APIKey{
			TenantID: r.Tenant, ID: e.AccountID, Name: e.Name, Role: e.Role, Actions: e.Actions, CreatedBy: r.Actor, CreatedAt: r.At,
			Secret: e.Secret, Prefix: e.Prefix, ExpiresAt: e.ExpiresAt.Time(),
		}
	case APIKeyRotated:
		k.Previous, k.PreviousUntil = k.Secret, e.PreviousUntil.Time()
		k.Secret, k.Prefix, k.ExpiresAt = e.Secret, e.Prefix, e.ExpiresAt.Time()
	case APIKeyRevoked:
		k.Revoked = true
	default:
		return k, unknownTo("API key", r.Event)
	}
	k.Version = r.Version
	return k, nil
}

// Size is how many bytes the texts and the list take.
func (k APIKey) Size() int {
	n := len(k.Name) + len(k.Prefix)
	for _, a := range k.Actions {
		n += stringSize + len(a)
	}
	return n
}
