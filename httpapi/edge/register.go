package edge

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"docket/domain"
)

// RegisterPublic adds an operation without a token. The handler's tenant is zero unless
// the operation resolves an existing one.
func RegisterPublic[I, O any](r *Router, op Operation, handle func(context.Context, domain.TenantID, *I) (*O, error)) {
	op.access = public
	register(r, withTenantHeaders(op), func(ctx context.Context, in *I) (*O, error) {
		return handle(ctx, CallerOf(ctx).Tenant, in)
	})
}

// RegisterUser adds an operation of a user, independent of memberships.
func RegisterUser[I, O any](r *Router, op Operation, handle func(context.Context, domain.UserID, *I) (*O, error)) {
	op.access = user
	register(r, withEpoch(withIdempotencyKey(withTenantHeaders(op))), withIdempotency(r, op, func(ctx context.Context, in *I) (*O, error) {
		return handle(ctx, CallerOf(ctx).Identity.User, in)
	}))
}

// RegisterScoped adds an operation of a tenant's members. It runs the handler again if
// the membership changed during a read.
func RegisterScoped[I, O any](r *Router, op Operation, handle func(context.Context, domain.Scope, *I) (*O, error)) {
	op.access = tenant
	if op.Method != http.MethodGet {
		op.Errors = append(op.Errors, domain.CodeEmailUnverified)
	}
	register(r, withEpoch(withIdempotencyKey(withTenantHeaders(op))), withIdempotency(r, op, func(ctx context.Context, in *I) (*O, error) {
		c := CallerOf(ctx)
		for range scopeAttempts {
			out, err := handle(ctx, c.Scope, in)
			if !errors.Is(err, domain.ErrScopeStale) {
				return out, err
			}
			if err := r.verifyMembership(ctx, op, c, true); err != nil {
				return nil, err
			}
		}
		return nil, domain.Refuse(domain.CodeConcurrentUpdate, "your membership kept changing; try again")
	}))
}

// withTenantHeaders documents the headers that resolveTenant reads.
func withTenantHeaders(op Operation) Operation {
	if op.access != tenant && !op.Resolves {
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
