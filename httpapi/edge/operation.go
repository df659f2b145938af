package edge

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"

	"docket/domain"
)

// access is who may call an operation. There is no default: register panics if it
// is missing.
type access string

const (
	public access = "public" // anyone
	user   access = "user"   // callers with a valid token
	tenant access = "tenant" // members of the resolved tenant whose role has Action
)

// Operation is a route: its contract and its access rules.
type Operation struct {
	Method, Path         string
	ID                   string // unique, kebab-case; generated clients name methods after it
	Summary, Description string
	Tag                  string // one of tags
	access               access
	Action               domain.Action // of the role rules; with tenant access only
	Resolves             bool          // resolves the headers' tenant without requiring a membership

	// Status of success; 0 is 200 with a body in the output, else 204.
	Status int
	// Errors are the refusals that don't follow from the access, the parameters
	// and the body.
	Errors []domain.Code
	// Params are documented and checked in addition to those of the input type;
	// the gates read them.
	Params []*huma.Param
	// Content documents an answer that isn't the JSON of the output's Body.
	Content map[string]*huma.MediaType
	// NoSeqIfRefused says that an answer with success may be of refusals alone, without Docket-Seq.
	NoSeqIfRefused bool
	// WithoutKey says that it doesn't honour Idempotency-Key: it writes no events that could
	// be found again, or its body holds a password.
	WithoutKey bool
	// Static marks an operation that asks no store, and so is never overloaded.
	Static bool
	// Streams marks an endless answer: no deadline and no HEAD.
	Streams bool
	// Unlimited exempts what probes ask from the limit of an address.
	Unlimited bool
}

const operationKey = "docket.operation"

// operationOf returns the operation that a middleware runs for.
func operationOf(ctx huma.Context) Operation {
	return ctx.Operation().Metadata[operationKey].(Operation)
}

// register adds an operation to the router and to the OpenAPI document. It panics
// for an inconsistent operation, so that the server doesn't start. The package
// comment draws the order in which its middleware runs.
func register[I, O any](r *Router, op Operation, handler func(context.Context, *I) (*O, error)) {
	switch {
	case op.access != public && op.access != user && op.access != tenant:
		panic("edge: " + op.ID + ": access is missing")
	case (op.access == tenant) != (op.Action != ""):
		panic("edge: " + op.ID + ": tenant access needs an action, and only tenant access has one")
	case op.ID == "" || op.Summary == "" || !slices.ContainsFunc(tags, func(t *huma.Tag) bool { return t.Name == op.Tag }):
		panic("edge: " + op.Method + " " + op.Path + ": id, summary and a known tag are required")
	}
	h := huma.Operation{
		Method:        op.Method,
		Path:          op.Path,
		OperationID:   op.ID,
		Summary:       op.Summary,
		Description:   op.Description,
		Tags:          []string{op.Tag},
		DefaultStatus: op.Status,
		Parameters:    slices.Clone(op.Params),
		Responses:     map[string]*huma.Response{},
		Metadata:      map[string]any{operationKey: op},
		Extensions:    map[string]any{},
		Middlewares:   slices.Concat(huma.Middlewares{r.deadline}, r.gates, huma.Middlewares{r.readBody}, r.recall, huma.Middlewares{r.check}),

		// readBody and check do this, with codes and pointers.
		MaxBodyBytes:       -1,
		BodyReadTimeout:    -1,
		SkipValidateParams: true,
		SkipValidateBody:   true,
	}
	if op.access != public {
		h.Security = []map[string][]string{{bearer: {}}}
	}
	if op.Action != "" { // of a tenant
		h.Extensions["x-docket-action"] = string(op.Action)
	} else {
		h.Extensions["x-docket-access"] = string(op.access)
	}
	if op.Content != nil {
		status := op.Status
		if status == 0 {
			status = http.StatusOK
		}
		h.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: op.Content}
	}
	requireConventions(op.ID, typeOf[I]())
	requireConventions(op.ID, typeOf[O]())
	huma.Register(r.api, h, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, r.problem(ctx, err)
		}
		return out, nil
	})
}

// deadline bounds the time of a handler and its queries. For an endless answer it
// instead removes the connection's deadlines (http.Server's ReadTimeout and
// WriteTimeout); the handler sets a deadline for each write.
func (r *Router) deadline(ctx huma.Context, next func(huma.Context)) {
	if operationOf(ctx).Streams {
		connection := http.NewResponseController(humagin.Unwrap(ctx).Writer)
		_ = connection.SetReadDeadline(time.Time{})
		_ = connection.SetWriteDeadline(time.Time{})
		next(ctx)
		return
	}
	bounded, cancel := context.WithTimeout(ctx.Context(), r.timeout)
	defer cancel()
	next(huma.WithContext(ctx, bounded))
}

const defaultTimeout = 15 * time.Second
