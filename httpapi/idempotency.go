package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"docket/commands"
	"docket/domain"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
)

// The headers of draft-ietf-httpapi-idempotency-key-header. The second is ours:
// it tells a client that the answer is an earlier one.
const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
	maxIdempotencyKey = 255
)

type keyKey struct{}

// keyed is an Idempotency-Key with the answer that it is for.
type keyed struct {
	*commands.Key
	replayed func() // says so in the answer's headers
}

// keyFrom is the request's Idempotency-Key, nil without one.
func keyFrom(ctx context.Context) *keyed {
	k, _ := ctx.Value(keyKey{}).(*keyed)
	return k
}

// takesKey reports whether an operation honours Idempotency-Key: every command
// but those of /v1/auth, whose answers hold tokens.
func (op operation) takesKey() bool {
	return op.Access != public && op.Method != http.MethodGet && !strings.HasPrefix(op.Path, "/v1/auth/")
}

// withIdempotencyKey documents the header and its refusals.
func withIdempotencyKey(op operation) operation {
	if !op.takesKey() {
		return op
	}
	least, most := 1, maxIdempotencyKey
	op.Params = append(op.Params, &huma.Param{Name: idempotencyHeader, In: "header",
		Schema: &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most},
		Description: "The same key with the same request is answered the same again, for 30 days, with " + replayedHeader + ": true; " +
			"the command has one effect. Remembered are acceptances, 403, 404, 409 and 412 (but concurrent-update, after which nothing was decided)."})
	op.Errors = append(op.Errors, domain.CodeIdempotencyKeyReused, domain.CodeOutcomeUnknown)
	return op
}

// recall is the middleware that answers a request whose key was answered before.
// It runs between the gates and the checks of the contract. A refusal is written
// as it was; an acceptance is made again by the handler, from the state of then.
func (s *Server) recall(ctx huma.Context, next func(huma.Context)) {
	op := operationOf(ctx)
	header := humagin.Unwrap(ctx).Request.Header
	values := header.Values(idempotencyHeader)
	if !op.takesKey() || len(values) == 0 {
		next(ctx)
		return
	}
	if len(values) > 1 || len(values[0]) == 0 || len(values[0]) > maxIdempotencyKey {
		s.router.refuse(ctx, domain.Refuse(domain.CodeMalformed, "%s is wanted once, with 1 to %d characters", idempotencyHeader, maxIdempotencyKey))
		return
	}
	c := callerOf(ctx.Context())
	k := &keyed{
		Key: &commands.Key{
			Tenant:      c.scope.Tenant(), // without a scope: the platform, where no stranger's key burdens a tenant
			Hash:        hashOf(c.tenant.String(), c.identity.User.String(), op.ID, values[0]),
			Fingerprint: fingerprint(ctx),
		},
		replayed: func() { ctx.SetHeader(replayedHeader, "true") },
	}
	if err := s.commands.FindRecord(ctx.Context(), k.Key); err != nil {
		s.router.refuse(ctx, err)
		return
	}
	if err := s.stillAdmitted(ctx.Context(), op, k); err != nil {
		s.router.refuse(ctx, err)
		return
	}
	if refusal := k.Refusal(); refusal != nil {
		k.replayed()
		writeProblem(humagin.Unwrap(ctx), recalled(refusal))
		return
	}
	next(huma.WithValue(ctx, keyKey{}, k))
}

// stillAdmitted looks at the membership's stream before an earlier answer is given
// again: the gates may have gone by memory, and nothing after them looks.
func (s *Server) stillAdmitted(ctx context.Context, op operation, k *keyed) error {
	if op.Access != tenant || !k.Replayed() {
		return nil
	}
	return s.enter(ctx, op, callerOf(ctx), true)
}

// fingerprint is the hash of what makes a request the same: what it asks of what,
// in which tenant, and on which condition.
func fingerprint(ctx huma.Context) [32]byte {
	r := humagin.Unwrap(ctx).Request
	return hashOf(r.Method, r.URL.EscapedPath(), r.URL.RawQuery,
		strings.Join(r.Header.Values(ifMatchHeader), ","), r.Header.Get(tenantIDHeader), r.Header.Get(tenantSlugHeader), string(bodyOf(ctx)))
}

// hashOf is the SHA-256 of some strings, each with its length before it.
func hashOf(parts ...string) [32]byte {
	var all []byte
	for _, p := range parts {
		all = binary.AppendUvarint(all, uint64(len(p)))
		all = append(all, p...)
	}
	return sha256.Sum256(all)
}

// remembering makes a handler's answer the one that its key is for.
func remembering[I, O any](s *Server, op operation, handle func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		k := keyFrom(ctx)
		if k == nil {
			return handle(ctx, in)
		}
		if k.Bodyless() {
			k.replayed()
			return nil, nil
		}
		out, err := handle(ctx, in)
		if !k.Replayed() && !k.Recorded() {
			var keepErr error
			if err, keepErr = s.keep(ctx, op, k, err); keepErr != nil {
				return nil, keepErr
			}
			switch {
			case k.Bodyless(): // a twin was accepted meanwhile
				out, err = nil, nil
			case k.Replayed() && k.Refusal() == nil:
				out, err = handle(ctx, in)
			}
		}
		if !k.Replayed() {
			return out, err
		}
		k.replayed()
		if refusal := k.Refusal(); refusal != nil {
			return nil, recalled(refusal)
		}
		return out, err
	}
}

// aside is a part of an answer that no stream holds: what was answered before under
// the request's key, else what make makes, which is remembered with the command.
func aside[T any](ctx context.Context, make func() (T, error)) (T, error) {
	k := keyFrom(ctx)
	if k != nil && k.Replayed() {
		var was T
		err := json.Unmarshal(k.Aside, &was)
		return was, err
	}
	part, err := make()
	if err == nil && k != nil {
		k.Aside, err = json.Marshal(part)
	}
	return part, err
}

// keep remembers what no append has brought: a refusal, or an answer without a
// body. answer is err in the form in which it is remembered. What the gates would
// have refused, had they known, is as little remembered as if they had.
func (s *Server) keep(ctx context.Context, op operation, k *keyed, err error) (answer, failed error) {
	if err == nil {
		return nil, s.commands.Record(ctx, k.Key, nil)
	}
	if errors.Is(err, domain.ErrScopeStale) {
		return err, nil
	}
	p := s.router.problem(ctx, err)
	switch {
	case p.Code == domain.CodeConcurrentUpdate:
		return p, nil
	case p.Status != http.StatusForbidden && p.Status != http.StatusNotFound && p.Status != http.StatusConflict && p.Status != http.StatusPreconditionFailed:
		return p, nil
	}
	if gate := s.gate(ctx, op, p); gate != nil {
		return gate, nil
	}
	body, err := p.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return p, s.commands.Record(ctx, k.Key, body)
}

// gate is the refusal of the gates, were they asked again now, for a problem that
// may be theirs.
func (s *Server) gate(ctx context.Context, op operation, p *problem) error {
	if op.Access != tenant || p.Code != domain.CodeInsufficientRole && p.Code != domain.CodeTenantAccessDenied {
		return nil
	}
	return s.enter(ctx, op, callerOf(ctx), true)
}

// recalled is a problem as it was answered before.
func recalled(body json.RawMessage) *problem {
	p := &problem{written: body}
	if err := json.Unmarshal(body, p); err != nil {
		panic(err) // it was made by MarshalJSON, and Postgres has kept it as JSON
	}
	return p
}
