package edge

import (
	"context"
	"strings"
	"time"

	"docket/accounts"
	"docket/domain"
)

// APIKeys finds the keys of service accounts.
type APIKeys interface {
	// Find returns CodeUnauthenticated for a key that was never made.
	Find(ctx context.Context, key string) (accounts.APIKey, error)
	// Used notes that a valid key was used.
	Used(ctx context.Context, k accounts.APIKey) error
}

// isAPIKey reports whether a bearer token is an API key, not an access token.
func isAPIKey(token string) bool { return strings.HasPrefix(token, accounts.APIKeyStart) }

// authenticateKey is authenticate for an API key. An unknown, expired or revoked key is
// one and the same CodeUnauthenticated.
func (r *Router) authenticateKey(ctx context.Context, key string) (accounts.Identity, error) {
	if r.apiKeys == nil {
		return accounts.Identity{}, domain.InvalidAPIKey()
	}
	k, err := r.apiKeys.Find(ctx, key)
	if err != nil {
		return accounts.Identity{}, err
	}
	account, err := r.commands.ServiceAccount(ctx, k.Tenant, k.Account, k.Version)
	if err != nil {
		return accounts.Identity{}, err
	}
	if !account.Valid(k.Secret, time.Now()) {
		return accounts.Identity{}, domain.InvalidAPIKey()
	}
	if err := r.apiKeys.Used(ctx, k); err != nil { // a read-only database must not refuse reads
		r.log.WarnContext(ctx, "the last use of an API key isn't noted", "error", err)
	}
	return k.Identity(), nil
}
