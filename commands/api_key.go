package commands

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
)

// APIKeys stores the keys of service accounts.
type APIKeys interface {
	// Make makes and stores a key under a name that events may carry.
	Make(ctx context.Context, t domain.TenantID, account domain.UserID, name domain.SecretID, expires time.Time) (key, prefix string, err error)
	// End has the keys of a service account, but for one, deleted after a time.
	End(ctx context.Context, t domain.TenantID, account domain.UserID, but domain.SecretID, until time.Time) error
}

// CreateAPIKey makes a service account in the scope's tenant, and returns its key, which
// can't be read again. It sets cmd.ID and the key's name. The key is stored first: one
// that no event names is not valid. Errors: CodeValidationFailed, also for a tenant with
// domain.MaxAPIKeys, and those of every command.
func (c *Commands) CreateAPIKey(ctx context.Context, s domain.Scope, o Origin, cmd domain.CreateAPIKey) (Result[domain.APIKey], string, error) {
	id, err := newID[domain.UserID]()
	if err != nil {
		return Result[domain.APIKey]{}, "", err
	}
	cmd.ID = id
	// A command that is refused stores no key.
	if _, err := domain.DecideAPIKey(domain.APIKey{}, s.Actor(), cmd); err != nil {
		return Result[domain.APIKey]{}, "", err
	}
	key, err := c.makeKey(ctx, s.Tenant(), id, &cmd.Key)
	if err != nil {
		return Result[domain.APIKey]{}, "", err
	}
	result, err := change(ctx, c, s, o, apiKeys.newStream(s.Tenant(), id.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, k domain.APIKey) ([]domain.Event, error) {
			has, err := c.store.ClaimantsBut(ctx, s.Tenant(), eventstore.ClaimAPIKey, uuid.Nil, domain.MaxAPIKeys)
			if err != nil {
				return nil, err
			}
			if len(has) >= domain.MaxAPIKeys {
				return nil, domain.Invalid("", "too_many", "the tenant has %d API keys, as many as there can be; delete one first", len(has))
			}
			return domain.DecideAPIKey(k, by, cmd)
		})
	return result, key, err
}

// RotateAPIKey gives a service account another key, and returns it. It sets the key's
// name. Errors: those of domain.DecideAPIKey and of every command.
func (c *Commands) RotateAPIKey(ctx context.Context, s domain.Scope, o Origin, id domain.UserID, cmd domain.RotateAPIKey) (Result[domain.APIKey], string, error) {
	target := apiKeys.in(s.Tenant(), id.UUID())
	f, _, err := read(ctx, c, target, true)
	if err != nil {
		return Result[domain.APIKey]{}, "", err
	}
	if _, err := domain.DecideAPIKey(f.state.(domain.APIKey), s.Actor(), cmd); err != nil {
		return Result[domain.APIKey]{}, "", err
	}
	key, err := c.makeKey(ctx, s.Tenant(), id, &cmd.Key)
	if err != nil {
		return Result[domain.APIKey]{}, "", err
	}
	result, err := change(ctx, c, s, o, target, func(_ context.Context, _ *attempt, by domain.Actor, k domain.APIKey) ([]domain.Event, error) {
		return domain.DecideAPIKey(k, by, cmd)
	})
	if err == nil {
		c.endKeys(ctx, result.State, result.State.Secret, result.State.PreviousUntil)
	}
	return result, key, err
}

// RevokeAPIKey ends a service account with its keys. Errors: those of
// domain.DecideAPIKey and of every command.
func (c *Commands) RevokeAPIKey(ctx context.Context, s domain.Scope, o Origin, id domain.UserID, cmd domain.RevokeAPIKey, now time.Time) (Result[domain.APIKey], error) {
	result, err := change(ctx, c, s, o, apiKeys.in(s.Tenant(), id.UUID()),
		func(_ context.Context, _ *attempt, by domain.Actor, k domain.APIKey) ([]domain.Event, error) {
			return domain.DecideAPIKey(k, by, cmd)
		})
	if err == nil {
		c.endKeys(ctx, result.State, domain.SecretID{}, now)
	}
	return result, err
}

// makeKey makes a key and sets its name and prefix.
func (c *Commands) makeKey(ctx context.Context, t domain.TenantID, account domain.UserID, k *domain.NewKey) (key string, err error) {
	if k.Secret, err = newID[domain.SecretID](); err != nil {
		return "", err
	}
	if key, k.Prefix, err = c.apiKeys.Make(ctx, t, account, k.Secret, k.Expiry()); err != nil {
		return "", fmt.Errorf("make API key: %w", err)
	}
	return key, nil
}

// endKeys has the rows of a service account's keys, but for one, deleted. If that fails they
// stay longer, without a meaning: the event has ended the keys.
func (c *Commands) endKeys(ctx context.Context, k domain.APIKey, but domain.SecretID, until time.Time) {
	if err := c.apiKeys.End(ctx, k.TenantID, k.ID, but, until); err != nil {
		c.log.Warn("the rows of former API keys stay longer", "error", err)
	}
}

// APIKeys are the service accounts of the scope's tenant that aren't revoked, in the order
// of their creation: domain.MaxAPIKeys, and a few more where they were created at once.
func (c *Commands) APIKeys(ctx context.Context, s domain.Scope) ([]domain.APIKey, error) {
	ids, err := c.store.ClaimantsBut(ctx, s.Tenant(), eventstore.ClaimAPIKey, uuid.Nil, 2*domain.MaxAPIKeys)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	var list []domain.APIKey
	for _, id := range ids {
		f, _, err := read(ctx, c, apiKeys.in(s.Tenant(), id), true)
		if err != nil {
			return nil, err
		}
		list = append(list, f.state.(domain.APIKey))
	}
	return list, nil
}

// ServiceAccount is the state of a service account as of a version of its stream, or a
// later one.
func (c *Commands) ServiceAccount(ctx context.Context, t domain.TenantID, id domain.UserID, atLeast int) (domain.APIKey, error) {
	f, cached, err := read(ctx, c, apiKeys.in(t, id.UUID()), false)
	if err == nil && cached && f.version < atLeast {
		f, _, err = read(ctx, c, apiKeys.in(t, id.UUID()), true)
	}
	if err != nil {
		return domain.APIKey{}, err
	}
	return f.state.(domain.APIKey), nil
}

// AdmitService returns a service account's scope of its tenant, or CodeUnauthenticated
// for one that was revoked. fresh is as in Admit.
func (c *Commands) AdmitService(ctx context.Context, t domain.TenantID, id domain.UserID, fresh bool) (domain.Scope, error) {
	f, _, err := read(ctx, c, apiKeys.in(t, id.UUID()), fresh)
	if err != nil {
		return domain.Scope{}, err
	}
	return domain.AdmitService(f.state.(domain.APIKey))
}

// apiKeyClaims are the claims that follow from the events of service accounts: each that
// isn't revoked holds one.
func apiKeyClaims(t domain.TenantID, events []domain.Event) []eventstore.Claim {
	var out []eventstore.Claim
	claim := func(id domain.UserID, release bool) {
		out = append(out, eventstore.Claim{Tenant: t, Kind: eventstore.ClaimAPIKey, Value: id.String(), Holder: id.UUID(), Release: release})
	}
	for _, e := range events {
		switch e := e.(type) {
		case domain.APIKeyCreated:
			claim(e.AccountID, false)
		case domain.APIKeyRevoked:
			claim(e.AccountID, true)
		}
	}
	return out
}
