package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	"docket/domain"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
)

// The headers that name a tenant, and the slug of those who name none.
const (
	tenantIDHeader   = "X-Tenant-ID"
	tenantSlugHeader = "X-Tenant-Slug"
	defaultSlug      = "default"
)

// scopeAttempts is how often a read is made again because the caller's
// membership changed under it.
const scopeAttempts = 3

type gateKey struct{}

// caller is what the gates found out: it goes with the request from them to
// registerUser and registerScoped, and no further.
type caller struct {
	identity identity
	tenant   domain.TenantID // zero where the name leads to no tenant
	scope    domain.Scope
}

func callerOf(ctx context.Context) *caller { return ctx.Value(gateKey{}).(*caller) }

// gates run in the contract's order: authentication, tenant, role.
func (s *Server) gates() []middleware {
	gate := func(enter func(huma.Context, operation, *caller) error) middleware {
		return func(ctx huma.Context, next func(huma.Context)) {
			if err := enter(ctx, operationOf(ctx), callerOf(ctx.Context())); err != nil {
				s.router.refuse(ctx, err)
				return
			}
			next(ctx)
		}
	}
	begin := func(ctx huma.Context, next func(huma.Context)) {
		next(huma.WithValue(ctx, gateKey{}, &caller{}))
	}
	return []middleware{begin, gate(s.authenticate), gate(s.resolveTenant), gate(s.admit)}
}

// authenticate reads the bearer token of an operation that wants one (RFC 6750).
func (s *Server) authenticate(ctx huma.Context, op operation, c *caller) (err error) {
	if op.Access == public {
		return nil
	}
	values := humagin.Unwrap(ctx).Request.Header.Values("Authorization")
	if len(values) != 1 {
		return domain.Refuse(domain.CodeUnauthenticated, "an access token is needed: Authorization: Bearer …")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return domain.Refuse(domain.CodeUnauthenticated, "the Authorization header isn't of the scheme Bearer")
	}
	if c.identity, err = s.tokens.verify(token); err != nil {
		return err
	}
	return s.sessions.Check(ctx.Context(), c.identity.Session, c.identity.User)
}

// isSlug reports whether a tenant could have this slug. (Every request asks; a
// regular expression took a twentieth of its time.)
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

// resolveTenant finds the tenant that the headers name, for an operation that
// has one. A name that leads nowhere is no error yet: what it means depends on
// the operation.
func (s *Server) resolveTenant(ctx huma.Context, op operation, c *caller) error {
	if op.Access != tenant && !op.Resolves {
		return nil
	}
	header := humagin.Unwrap(ctx).Request.Header
	ids, slugs := header.Values(tenantIDHeader), header.Values(tenantSlugHeader)
	if len(ids) > 1 || len(slugs) > 1 {
		return domain.Refuse(domain.CodeTenantInvalid, "a tenant header stands twice")
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
		c.tenant = named
		return nil
	}
	slug := defaultSlug
	if len(slugs) == 1 {
		slug = slugs[0]
	}
	found, ok, err := s.commands.TenantBySlug(ctx.Context(), slug)
	if err != nil {
		return err
	}
	if len(ids) == 1 && (!ok || found != named) {
		return domain.Refuse(domain.CodeTenantMismatch, "%s and %s name different tenants", tenantIDHeader, tenantSlugHeader)
	}
	if ok {
		c.tenant = found
	}
	return nil
}

// admit verifies the membership and the least role that the operation asks for.
// A refusal is made from the membership's stream, never from a cache.
func (s *Server) admit(ctx huma.Context, op operation, c *caller) error {
	if op.Access != tenant {
		return nil
	}
	err := s.enter(ctx.Context(), op, c, false)
	if domain.CodeOf(err) == domain.CodeInsufficientRole {
		err = s.enter(ctx.Context(), op, c, true)
	}
	return err
}

func (s *Server) enter(ctx context.Context, op operation, c *caller, fresh bool) error {
	if c.tenant.IsZero() {
		return domain.TenantAccessDenied()
	}
	scope, err := s.commands.Admit(ctx, c.tenant, c.identity.User, fresh)
	if err != nil {
		return err
	}
	if role := scope.Actor().Role; !domain.MayTry(op.Action, role) {
		return domain.InsufficientRole(domain.LeastRole(op.Action), role)
	}
	c.scope = scope
	return nil
}

// registerPublic adds an operation that needs no token. The tenant is zero
// unless the operation resolves one, and where the name leads to none.
func registerPublic[I, O any](s *Server, op operation, handle func(context.Context, domain.TenantID, *I) (*O, error)) {
	op.Access = public
	register(s.router, withTenantHeaders(op), func(ctx context.Context, in *I) (*O, error) {
		return handle(ctx, callerOf(ctx).tenant, in)
	})
}

// registerUser adds an operation of a user, whatever their memberships.
func registerUser[I, O any](s *Server, op operation, handle func(context.Context, domain.UserID, *I) (*O, error)) {
	op.Access = user
	register(s.router, withIdempotencyKey(withTenantHeaders(op)), remembering(s, op, func(ctx context.Context, in *I) (*O, error) {
		return handle(ctx, callerOf(ctx).identity.User, in)
	}))
}

// registerScoped adds an operation of a tenant's members, and makes a read
// again where the membership changed under it.
func registerScoped[I, O any](s *Server, op operation, handle func(context.Context, domain.Scope, *I) (*O, error)) {
	op.Access = tenant
	register(s.router, withIdempotencyKey(withTenantHeaders(op)), remembering(s, op, func(ctx context.Context, in *I) (*O, error) {
		c := callerOf(ctx)
		for range scopeAttempts {
			out, err := handle(ctx, c.scope, in)
			if !errors.Is(err, domain.ErrScopeStale) {
				return out, err
			}
			if err := s.enter(ctx, op, c, true); err != nil {
				return nil, err
			}
		}
		return nil, domain.Refuse(domain.CodeConcurrentUpdate, "your membership kept changing; try again")
	}))
}

// withTenantHeaders documents the headers that resolveTenant reads.
func withTenantHeaders(op operation) operation {
	if op.Access != tenant && !op.Resolves {
		return op
	}
	op.Params = append(op.Params,
		&huma.Param{Name: tenantIDHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"},
			Description: "The tenant, by id. Without either header: the tenant with the slug default."},
		&huma.Param{Name: tenantSlugHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString},
			Description: "The tenant, by slug."})
	op.Errors = append(op.Errors, domain.CodeTenantInvalid, domain.CodeTenantMismatch)
	return op
}

// Visit is the input of an operation that asks where a caller comes from.
type Visit struct {
	local bool
}

// Resolve finds out whether the request comes straight from the machine itself:
// from a loopback address, and not through a proxy that would hide another.
func (v *Visit) Resolve(ctx huma.Context) []error {
	v.local = fromLoopback(humagin.Unwrap(ctx).Request)
	return nil
}

var forwardingHeaders = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}

func fromLoopback(r *http.Request) bool {
	for _, name := range forwardingHeaders {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
