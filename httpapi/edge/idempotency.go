package edge

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

// The header of draft-ietf-httpapi-idempotency-key-header, and our own header that
// marks a replay.
const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
	maxIdempotencyKey = 255
)

type keyKey struct{}

// keyed is the Idempotency-Key of a request.
type keyed struct {
	*commands.Key
	replayed func() // marks the answer as a replay
}

// keyFrom returns the request's Idempotency-Key; nil without one.
func keyFrom(ctx context.Context) *keyed {
	k, _ := ctx.Value(keyKey{}).(*keyed)
	return k
}

// takesKey reports whether an operation honours Idempotency-Key: every command except
// those of /v1/auth, whose answers hold tokens, and those without a key.
func (op Operation) takesKey() bool {
	return !op.WithoutKey && op.access != public && op.Method != http.MethodGet && !strings.HasPrefix(op.Path, "/v1/auth/")
}

// withIdempotencyKey documents the header and its refusals.
func withIdempotencyKey(op Operation) Operation {
	if !op.takesKey() {
		return op
	}
	least, most := 1, maxIdempotencyKey
	op.Params = append(op.Params, &huma.Param{Name: idempotencyHeader, In: "header",
		Schema: &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most},
		Description: "For 30 days the same key with the same request gets the same answer, with " + replayedHeader + ": true; " +
			"the command has one effect. Successes, 403, 404, 409 (except concurrent-update) and 412 are recorded."})
	op.Errors = append(op.Errors, domain.CodeIdempotencyKeyReused, domain.CodeOutcomeUnknown)
	return op
}

// replay is the middleware that answers a request whose key has an idempotency record.
// It runs between the gates and the checks of the contract. It writes a recorded
// refusal unchanged; the handler renders a success again from the recorded version.
func (r *Router) replay(ctx huma.Context, next func(huma.Context)) {
	op := operationOf(ctx)
	header := humagin.Unwrap(ctx).Request.Header
	values := header.Values(idempotencyHeader)
	if !op.takesKey() || len(values) == 0 {
		next(ctx)
		return
	}
	if len(values) > 1 || len(values[0]) == 0 || len(values[0]) > maxIdempotencyKey {
		r.refuse(ctx, domain.Refuse(domain.CodeMalformed, "%s must be sent once, with 1 to %d characters", idempotencyHeader, maxIdempotencyKey))
		return
	}
	c := CallerOf(ctx.Context())
	k := &keyed{
		Key: &commands.Key{
			Tenant:      c.Scope.Tenant(), // the platform without a scope, so that no tenant stores the keys of non-members
			Hash:        scopedHash(ctx, c, op, values[0]),
			Fingerprint: fingerprint(ctx),
		},
		replayed: func() { ctx.SetHeader(replayedHeader, "true") },
	}
	if err := r.commands.FindRecord(ctx.Context(), k.Key); err != nil {
		r.refuse(ctx, err)
		return
	}
	if err := r.checkReplayAccess(ctx.Context(), op, k); err != nil {
		r.refuse(ctx, err)
		return
	}
	if refusal := k.Refusal(); refusal != nil {
		k.replayed()
		writeProblem(humagin.Unwrap(ctx), replayedProblem(refusal))
		return
	}
	next(huma.WithValue(ctx, keyKey{}, k))
}

// checkReplayAccess reads the membership's stream before a replay: the gates may have
// used the cache, and a replay skips the later checks.
func (r *Router) checkReplayAccess(ctx context.Context, op Operation, k *keyed) error {
	if op.access != tenant || !k.Replayed() {
		return nil
	}
	return r.verifyMembership(ctx, op, CallerOf(ctx), true)
}

// scopedHash is the hash of a key and its scope: tenant, user, and the operation with its
// path. An id in the path counts as the id, however it is written.
func scopedHash(ctx huma.Context, c *Caller, op Operation, key string) [32]byte {
	scope := []string{c.Tenant.String(), c.Identity.User.String(), op.ID}
	for _, p := range humagin.Unwrap(ctx).Params {
		if id, err := domain.ParseID[any](p.Value); err == nil {
			p.Value = id.String()
		}
		scope = append(scope, p.Value)
	}
	return hashOf(append(scope, key)...)
}

// fingerprint is the request fingerprint: a hash of method, query, body and If-Match, in
// forms that spell one request in one way. Tenant and path are in the key's scope.
func fingerprint(ctx huma.Context) [32]byte {
	req := humagin.Unwrap(ctx).Request
	return hashOf(req.Method, req.URL.Query().Encode(), canonicalIfMatch(req.Header), string(canonicalBody(bodyOf(ctx))))
}

// canonicalIfMatch is the form of If-Match for comparisons.
func canonicalIfMatch(header http.Header) string {
	value := strings.Join(header.Values(ifMatchHeader), ",")
	if tags, ok := opaqueTags(value); ok {
		return strings.Join(tags, `"`)
	}
	return value
}

// hashOf is the SHA-256 of strings, each prefixed by its length.
func hashOf(parts ...string) [32]byte {
	var all []byte
	for _, p := range parts {
		all = binary.AppendUvarint(all, uint64(len(p)))
		all = append(all, p...)
	}
	return sha256.Sum256(all)
}

// withIdempotency wraps a handler so that the request's key records or replays its
// answer.
func withIdempotency[I, O any](r *Router, op Operation, handle func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
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
			if err, keepErr = r.record(ctx, op, k, err); keepErr != nil {
				return nil, keepErr
			}
			switch {
			case k.Bodyless(): // a concurrent request with this key was accepted
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
			return nil, replayedProblem(refusal)
		}
		return out, err
	}
}

// Recorded returns a part of an answer that no stream holds: the recorded part in a
// replay, else the result of make, which is recorded with the command.
func Recorded[T any](ctx context.Context, make func() (T, error)) (T, error) {
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

// record stores an answer that no append has stored: a refusal, or an answer without a
// body. answer is err in its recorded form. A refusal that the gates make with the
// current membership is not recorded.
func (r *Router) record(ctx context.Context, op Operation, k *keyed, err error) (answer, failed error) {
	if err == nil {
		return nil, r.commands.Record(ctx, k.Key, nil)
	}
	if errors.Is(err, domain.ErrScopeStale) {
		return err, nil
	}
	p := r.problem(ctx, err)
	switch {
	case p.Code == domain.CodeConcurrentUpdate:
		return p, nil
	case p.Status != http.StatusForbidden && p.Status != http.StatusNotFound && p.Status != http.StatusConflict && p.Status != http.StatusPreconditionFailed:
		return p, nil
	}
	if gate := r.gateRefusal(ctx, op, p); gate != nil {
		return gate, nil
	}
	body, err := p.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return p, r.commands.Record(ctx, k.Key, body)
}

// gateRefusal runs the last gate again for a problem that it may have caused.
func (r *Router) gateRefusal(ctx context.Context, op Operation, p *problem) error {
	if op.access != tenant || p.Code != domain.CodeInsufficientRole && p.Code != domain.CodeTenantAccessDenied {
		return nil
	}
	return r.verifyMembership(ctx, op, CallerOf(ctx), true)
}

// replayedProblem is the problem of an idempotency record.
func replayedProblem(body json.RawMessage) *problem {
	p := &problem{written: body}
	if err := json.Unmarshal(body, p); err != nil {
		panic(err) // MarshalJSON wrote it, and Postgres stores it as JSON
	}
	return p
}

// Origin is the origin of the request's command: its request id and key.
func Origin(ctx context.Context) commands.Origin {
	o := commands.Origin{RequestID: requestIDFrom(ctx)}
	if k := keyFrom(ctx); k != nil {
		o.Key = k.Key
	}
	return o
}
