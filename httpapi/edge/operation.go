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

// access says who may call an operation at all. There is no default: register
// panics where it is missing.
type access string

const (
	public access = "public" // anyone
	user   access = "user"   // whoever has a valid token
	tenant access = "tenant" // members of the resolved tenant whose role has Action
)

// operation is what a route is: its contract, and who may call it.
type Operation struct {
	Method, Path         string
	ID                   string // unique, kebab-case; generated clients name methods after it
	Summary, Description string
	Tag                  string // one of tags
	access               access
	Action               domain.Action // with tenant access: what the role rules call it
	Resolves             bool          // the headers' tenant is found, though no membership in it is asked for

	// Status of success; 0 is 200 with a body in the output, else 204.
	Status int
	// Errors are the refusals beyond those that follow from the rest: the
	// access, parameters and a body bring their own.
	Errors []domain.Code
	// Params are documented and checked beside those of the input type. They
	// are for what the gates read.
	Params []*huma.Param
	// Content says what an answer is that isn't the JSON of the output's Body.
	Content map[string]*huma.MediaType
	// Streams is for answers without end: no deadline, and no HEAD.
	Streams bool
}

const operationKey = "docket.operation"

// operationOf is the operation that a middleware runs for.
func operationOf(ctx huma.Context) Operation {
	return ctx.Operation().Metadata[operationKey].(Operation)
}

// register adds an operation to the router and to the OpenAPI document. It
// panics for one that is inconsistent, so that the server doesn't start.
//
// Of a request it runs, in this order: the deadline, the router's gates
// (authentication, tenant, role), reading the body, the answer that is remembered,
// the checks of the contract (check.go), Huma's binding, the handler. Whatever error the handler returns goes through problemFrom.
func register[I, O any](r *Router, op Operation, handler func(context.Context, *I) (*O, error)) {
	switch {
	case op.access != public && op.access != user && op.access != tenant:
		panic("httpapi: " + op.ID + ": who may call it isn't said")
	case (op.access == tenant) != (op.Action != ""):
		panic("httpapi: " + op.ID + ": an action goes with tenant access, and only with it")
	case op.ID == "" || op.Summary == "" || !slices.ContainsFunc(tags, func(t *huma.Tag) bool { return t.Name == op.Tag }):
		panic("httpapi: " + op.Method + " " + op.Path + ": id, summary and one of the tags are needed")
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
		Extensions:    map[string]any{"x-docket-access": string(op.access)},
		Middlewares:   slices.Concat(huma.Middlewares{r.deadline}, r.gates, huma.Middlewares{r.readBody}, r.recall, huma.Middlewares{r.check}),

		// readBody and check do all of this, with codes and pointers.
		MaxBodyBytes:       -1,
		BodyReadTimeout:    -1,
		SkipValidateParams: true,
		SkipValidateBody:   true,
	}
	if op.access != public {
		h.Security = []map[string][]string{{bearer: {}}}
	}
	if op.Action != "" {
		h.Extensions["x-docket-action"] = string(op.Action)
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

// deadline bounds the time a handler, and every query it makes, may take. For an
// answer without end it also lifts what bounds the connection (http.Server's
// ReadTimeout and WriteTimeout): the handler sets a deadline for each write.
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
