package edge

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"docket/domain"
)

const problemMediaType = "application/problem+json"

// problem is the answer to a refused request (RFC 9457). It is a huma.StatusError
// with headers, which Huma writes unchanged.
type problem struct {
	Type      string              `json:"type" format:"uri-reference" example:"/problems/not-found" doc:"Where the code is explained."`
	Title     string              `json:"title"`
	Status    int                 `json:"status"`
	Detail    string              `json:"detail" doc:"What happened this time, for people."`
	Code      domain.Code         `json:"code" example:"not-found" doc:"What happened, for programs."`
	RequestID string              `json:"request_id"`
	Errors    []domain.FieldError `json:"errors,omitempty" doc:"With validation-failed: what is wrong where."`

	// Members are the additional members of some codes.
	Members map[string]any `json:"-"`

	// quota is what rate-limited is about.
	quota *domain.Quota

	// written, if not nil, is the body of the problem that is replayed.
	written []byte
}

// newProblem renders a refusal as the problem table says. Unknown codes and
// "internal" show nothing of the refusal's content.
func newProblem(refusal *domain.Error, requestID string) *problem {
	kind, known := problemKinds[refusal.Code]
	if !known || refusal.Code == domain.CodeInternal {
		kind = problemKinds[domain.CodeInternal]
		refusal = &domain.Error{Code: domain.CodeInternal}
	}
	p := &problem{
		Type:      problemType(refusal.Code),
		Title:     kind.Title,
		Status:    kind.Status,
		Detail:    refusal.Detail,
		Code:      refusal.Code,
		RequestID: requestID,
		Errors:    refusal.Fields,
		Members:   refusal.Members,
		quota:     refusal.Quota,
	}
	if p.Detail == "" {
		p.Detail = kind.Explanation
	}
	return p
}

// problemFrom returns the problem for an error. unexpected reports that the error is
// not a refusal that a client may read: the problem hides its text and the caller
// must log it.
//
// An event of a newer version of Docket, which this replica can't read, is
// "overloaded": nothing was done, and a newer replica may answer the next attempt.
// So is a deadline that passed or a canceled request; commands return
// "outcome-unknown" themselves if an append was in flight.
func problemFrom(err error, requestID string) (p *problem, unexpected bool) {
	var refusal *domain.Error
	switch {
	case errors.As(err, &p):
		return p, false
	case errors.Is(err, domain.ErrUnknownEvent):
		return newProblem(domain.Refuse(domain.CodeOverloaded,
			"a newer version of Docket wrote something that this replica can't read, so it did nothing; a newer replica can"), requestID), false
	case errors.As(err, &refusal):
		p = newProblem(refusal, requestID)
		return p, p.Code == domain.CodeInternal
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return newProblem(domain.Refuse(domain.CodeOverloaded, "the request took too long and was canceled"), requestID), false
	}
	return newProblem(&domain.Error{Code: domain.CodeInternal}, requestID), true
}

// Error returns the code and the detail.
func (p *problem) Error() string { return string(p.Code) + ": " + p.Detail }

// GetStatus makes a problem a huma.StatusError.
func (p *problem) GetStatus() int { return p.Status }

// ContentType makes Huma label a problem as one.
func (p *problem) ContentType(string) string { return problemMediaType }

// GetHeaders returns the headers of the code: WWW-Authenticate (RFC
// 6750, section 3), Retry-After, RateLimit and RateLimit-Policy.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	switch p.Code {
	case domain.CodeUnauthenticated:
		h.Set("WWW-Authenticate", `Bearer realm="docket"`)
	case domain.CodeTokenExpired:
		h.Set("WWW-Authenticate", `Bearer realm="docket", error="invalid_token", error_description="the token expired"`)
	}
	if after := problemKinds[p.Code].RetryAfter; after > 0 {
		h.Set("Retry-After", strconv.Itoa(after))
	}
	if p.quota != nil {
		quotaHeaders(h, *p.quota)
	}
	return h
}

// MarshalJSON writes the standard members in order and then the additional ones by
// name; none of them can replace a standard one.
func (p *problem) MarshalJSON() ([]byte, error) {
	if p.written != nil {
		return p.written, nil
	}
	type plain problem // without this method
	standard, err := json.Marshal((*plain)(p))
	if err != nil {
		return nil, err
	}
	further := maps.Clone(p.Members)
	for _, name := range []string{"type", "title", "status", "detail", "code", "request_id", "errors"} {
		delete(further, name)
	}
	if len(further) == 0 {
		return standard, nil
	}
	rest, err := json.Marshal(further, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	return slices.Concat(standard[:len(standard)-1], []byte{','}, rest[1:]), nil
}

// TransformSchema documents the additional members.
func (p *problem) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	member := func(name, doc string, schema huma.Schema) {
		schema.Description = doc
		s.Properties[name] = &schema
	}
	words := func(enum string) huma.Schema {
		return huma.Schema{Type: huma.TypeString, Enum: anySlice(problemEnums(nil)[enum])}
	}
	role, status := words("Role"), words("ProjectStatus")
	member("required_role", "With insufficient-role: the least role that would do.", role)
	member("your_role", "With insufficient-role: the caller's role.", role)
	member("current_status", "With invalid-transition.", status)
	member("current_version", "With version-conflict.", huma.Schema{Type: huma.TypeInteger, Format: "int64"})
	member("allowed_transitions", "With invalid-transition: the statuses that can follow.", huma.Schema{Type: huma.TypeArray, Items: &status})
	s.Properties["code"].Enum = words("ProblemCode").Enum
	// A problem may have members that this version of the document doesn't know.
	s.AdditionalProperties = nil
	return s
}

// problemEnums adds the sets of words that problems use.
func problemEnums(further Enums) Enums {
	enums := Enums{}
	for _, code := range slices.Sorted(maps.Keys(problemKinds)) {
		enums["ProblemCode"] = append(enums["ProblemCode"], string(code))
	}
	for _, role := range domain.Roles() {
		enums["Role"] = append(enums["Role"], string(role))
	}
	for _, status := range domain.Statuses() {
		enums["ProjectStatus"] = append(enums["ProjectStatus"], string(status.Name))
	}
	maps.Copy(enums, further)
	return enums
}

// writeProblem answers with the problem and ends the chain. It keeps headers that an
// earlier middleware has set.
func writeProblem(c *gin.Context, p *problem) {
	for name, values := range p.GetHeaders() {
		if c.Writer.Header().Get(name) == "" {
			c.Writer.Header()[name] = values
		}
	}
	body, err := json.Marshal(p)
	if err != nil { // a member that can't be JSON
		panic(err)
	}
	unread := leaveBody(c)
	c.Header("Content-Length", strconv.Itoa(len(body)))
	c.Data(p.Status, problemMediaType, body)
	if unread {
		drainBody(c)
	}
	c.Abort()
}

// refuse answers with the problem of err. The calling middleware returns after it
// without calling next.
func (r *Router) refuse(ctx huma.Context, err error) {
	writeProblem(humagin.Unwrap(ctx), r.problem(ctx.Context(), err))
}

// problem is problemFrom that also logs errors that the client may not read.
func (r *Router) problem(ctx context.Context, err error) *problem {
	p, unexpected := problemFrom(err, requestIDFrom(ctx))
	// Postgres' answer to a statement that was cancelled doesn't say that the context ended.
	if unexpected && ctx.Err() != nil {
		p, unexpected = problemFrom(ctx.Err(), requestIDFrom(ctx))
	}
	r.metrics.limited(p.quota)
	if unexpected {
		r.log.LogAttrs(ctx, slog.LevelError, "request failed",
			slog.Any("error", err), slog.String("request_id", p.RequestID))
	}
	if errors.Is(err, domain.ErrUnknownEvent) {
		r.log.LogAttrs(ctx, slog.LevelWarn, "request needs a newer version",
			slog.Any("error", err), slog.String("request_id", p.RequestID))
	}
	return p
}

// humaProblem replaces huma.NewErrorWithContext, so that Huma's own refusals are
// problems. check.go refuses nearly everything before; the rest are errors of parsing
// and of resolvers.
func humaProblem(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
	requestID := ""
	if ctx != nil {
		requestID = requestIDFrom(ctx.Context())
	}
	for _, err := range errs {
		if p, unexpected := problemFrom(err, requestID); !unexpected {
			return p
		}
	}
	refusal := &domain.Error{Code: domain.CodeInternal}
	switch status {
	case http.StatusBadRequest, http.StatusRequestTimeout:
		refusal = domain.Refuse(domain.CodeMalformed, "%s", msg)
	case http.StatusRequestEntityTooLarge:
		refusal = &domain.Error{Code: domain.CodePayloadTooLarge}
	case http.StatusUnsupportedMediaType:
		refusal = &domain.Error{Code: domain.CodeUnsupportedMediaType}
	case http.StatusUnprocessableEntity:
		refusal = refusalFromDetails(errs)
	}
	return newProblem(refusal, requestID)
}
