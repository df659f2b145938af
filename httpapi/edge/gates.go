package edge

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"docket/accounts"
	"docket/domain"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
)

// The headers that name a tenant, and the slug of the tenant without them.
const (
	tenantIDHeader   = "X-Tenant-ID"
	tenantSlugHeader = "X-Tenant-Slug"
	defaultSlug      = "default"
)

// scopeAttempts is how often a read runs if the caller's membership changes during
// it.
const scopeAttempts = 3

type gateKey struct{}

const callerKey = "docket.caller"

// Caller is what the gates have verified about the sender of a request. It travels in
// the request's context to the handler.
type Caller struct {
	Address  netip.Addr
	Identity accounts.Identity
	Tenant   domain.TenantID // zero if the headers name no existing tenant
	Scope    domain.Scope
	epoch    domain.Epoch // the zero value where none is named
}

func CallerOf(ctx context.Context) *Caller { return ctx.Value(gateKey{}).(*Caller) }

// standardGates are authentication, the user's limit, epoch, tenant, role and the tenant's
// limit, in the contract's order. The limit of the address comes before (limitAddress).
func (r *Router) standardGates() huma.Middlewares {
	gate := func(check func(huma.Context, Operation, *Caller) error) middleware {
		return func(ctx huma.Context, next func(huma.Context)) {
			if err := check(ctx, operationOf(ctx), CallerOf(ctx.Context())); err != nil {
				r.refuse(ctx, err)
				return
			}
			next(ctx)
		}
	}
	begin := func(ctx huma.Context, next func(huma.Context)) {
		caller := &Caller{Address: addressFrom(ctx.Context())}
		humagin.Unwrap(ctx).Set(callerKey, caller) // for the access log
		next(huma.WithValue(ctx, gateKey{}, caller))
	}
	return huma.Middlewares{begin, gate(r.authenticate), gate(r.limitUser), gate(r.inEpoch), gate(r.resolveTenant), gate(r.admit)}
}

// authenticate verifies the bearer token (RFC 6750) unless the operation is public.
func (r *Router) authenticate(ctx huma.Context, op Operation, c *Caller) (err error) {
	if op.access == public {
		return nil
	}
	values := humagin.Unwrap(ctx).Request.Header.Values("Authorization")
	if len(values) != 1 {
		return domain.Refuse(domain.CodeUnauthenticated, "an access token is required: Authorization: Bearer …")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return domain.Refuse(domain.CodeUnauthenticated, "the Authorization header isn't of the scheme Bearer")
	}
	if isAPIKey(token) {
		c.Identity, err = r.authenticateKey(ctx.Context(), token)
		return err
	}
	if c.Identity, err = r.tokens.Verify(ctx.Context(), token); err != nil {
		return err
	}
	return r.sessions.Check(ctx.Context(), c.Identity.Session, c.Identity.User)
}

// isSlug reports whether s has the form of a slug. It runs for every request; a regular
// expression took a twentieth of a request's time.
func isSlug(s string) bool {
	if len(s) < domain.MinSlug || len(s) > domain.MaxSlug || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// resolveTenant finds the tenant that the headers name, for an operation that needs
// one. An unknown tenant is no error yet: its meaning depends on the operation.
func (r *Router) resolveTenant(ctx huma.Context, op Operation, c *Caller) error {
	if op.access != tenant && !op.Resolves {
		return nil
	}
	header := humagin.Unwrap(ctx).Request.Header
	ids, slugs := header.Values(tenantIDHeader), header.Values(tenantSlugHeader)
	if len(ids) > 1 || len(slugs) > 1 {
		return domain.Refuse(domain.CodeTenantInvalid, "a tenant header is duplicated")
	}
	var named domain.TenantID
	if len(ids) == 1 {
		id, err := domain.ParseID[any](ids[0])
		if err != nil || id.IsZero() {
			return domain.Refuse(domain.CodeTenantInvalid, "%s isn't a tenant's id", tenantIDHeader)
		}
		named = domain.TenantID(id)
	}
	if len(slugs) == 1 && !isSlug(slugs[0]) {
		return domain.Refuse(domain.CodeTenantInvalid, "%s isn't a slug", tenantSlugHeader)
	}
	if len(ids) == 1 && len(slugs) == 0 {
		c.Tenant = named
		return nil
	}
	if len(slugs) == 0 && c.Identity.Service() { // there is no other tenant for it
		c.Tenant = c.Identity.Tenant
		return nil
	}
	slug := defaultSlug
	if len(slugs) == 1 {
		slug = slugs[0]
	}
	found, ok, err := r.commands.TenantBySlug(ctx.Context(), slug)
	if err != nil {
		return err
	}
	if len(ids) == 1 && (!ok || found != named) {
		return domain.Refuse(domain.CodeTenantMismatch, "%s and %s name different tenants", tenantIDHeader, tenantSlugHeader)
	}
	if ok {
		c.Tenant = found
	}
	return nil
}

// admit verifies the membership and the minimal role of the operation. Before it
// refuses, it reads the membership's stream, never only the cache.
func (r *Router) admit(ctx huma.Context, op Operation, c *Caller) error {
	if op.access == user && c.Identity.Service() {
		return domain.ServiceAccountDenied()
	}
	if op.access != tenant {
		return nil
	}
	err := r.verifyMembership(ctx.Context(), op, c, false)
	if domain.CodeOf(err) == domain.CodeInsufficientRole {
		err = r.verifyMembership(ctx.Context(), op, c, true)
	}
	if err != nil && domain.CodeOf(err) != domain.CodeInsufficientRole && domain.CodeOf(err) != domain.CodeServiceAccountDenied {
		return err
	}
	// Only members use up the tenant's quota: a stranger could else lock them out with it.
	if limited := r.limits.tenant.take(c.Tenant, time.Now()); limited != nil {
		return limited
	}
	return err
}

// limitUser counts a request for its user.
func (r *Router) limitUser(_ huma.Context, op Operation, c *Caller) error {
	if op.access == public {
		return nil
	}
	return r.limits.user.take(c.Identity.User, time.Now())
}

func (r *Router) verifyMembership(ctx context.Context, op Operation, c *Caller, fresh bool) error {
	if c.Tenant.IsZero() {
		return domain.TenantAccessDenied()
	}
	scope, err := r.scopeOf(ctx, c, fresh)
	if err != nil {
		return err
	}
	if err := scope.MayTry(op.Action); err != nil {
		return err
	}
	c.Scope = scope
	return r.verifyAddress(ctx, op, c)
}

// verifyAddress refuses what isn't reading to a member without a verified address, where the
// tenant demands one.
func (r *Router) verifyAddress(ctx context.Context, op Operation, c *Caller) error {
	if op.Method == http.MethodGet || c.Identity.Service() { // a service account has no address
		return nil
	}
	demanded, err := r.commands.DemandsVerifiedEmail(ctx, c.Tenant)
	if err != nil || !demanded {
		return err
	}
	verified, err := r.mailboxes.Verified(ctx, c.Identity.User)
	if err == nil && !verified[c.Identity.User] {
		return EmailUnverified()
	}
	return err
}

// EmailUnverified is the refusal of a member whose address isn't verified.
func EmailUnverified() error {
	return domain.Refuse(domain.CodeEmailUnverified, "this tenant demands a verified e-mail address, and yours isn't")
}

// scopeOf is the caller's scope of the tenant that the headers name.
func (r *Router) scopeOf(ctx context.Context, c *Caller, fresh bool) (domain.Scope, error) {
	if !c.Identity.Service() {
		return r.commands.Admit(ctx, c.Tenant, c.Identity.User, fresh)
	}
	if c.Tenant != c.Identity.Tenant {
		return domain.Scope{}, domain.TenantAccessDenied()
	}
	return r.commands.AdmitService(ctx, c.Tenant, c.Identity.User, fresh)
}
