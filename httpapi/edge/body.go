package edge

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"docket/domain"
)

const (
	maxBody = 1 << 20 // bytes

	// bodyTimeout bounds the arrival of a body. It is network time, so it is
	// separate from the operation's deadline.
	bodyTimeout = 15 * time.Second

	// drainTimeout and maxDrain are how long the server reads on, and how many bytes,
	// when it has refused a request before it read the body. Most clients read no answer
	// before they have sent all, and a connection that is closed before that is reset,
	// which throws the answer away.
	drainTimeout = 5 * time.Second
	maxDrain     = 32 << 20

	JSONMediaType  = "application/json"
	patchMediaType = "application/merge-patch+json"

	bodyKey = "docket.body"
)

// readBody is the middleware that reads the whole body of an operation that has one:
// 413 above 1 MiB, 415 if it isn't JSON, 400 if it is incomplete. It runs after the
// gates, so that the server reads no body of an unauthorized caller. An operation
// without a body ignores it.
func (r *Router) readBody(ctx huma.Context, next func(huma.Context)) {
	op := ctx.Operation()
	if op.RequestBody == nil {
		next(ctx)
		return
	}
	c := humagin.Unwrap(ctx)
	body, err := r.receive(c)
	switch {
	case err != nil:
	case len(body) == 0 && op.RequestBody.Required:
		err = domain.Refuse(domain.CodeMalformed, "a body is required")
	case len(body) > 0:
		err = checkMediaType(c.Request)
	}
	if body != nil {
		keepBody(c, body) // it needn't be left unread
	}
	if err != nil {
		r.refuse(ctx, err)
		return
	}
	keepBody(c, body)
	next(ctx)
}

// keepBody is the body that later middleware and Huma read.
func keepBody(c *gin.Context, body []byte) {
	c.Set(bodyKey, body)
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
}

// bodyOf returns the body as received, or as check has rewritten it; nil if the operation has none.
func bodyOf(ctx huma.Context) []byte {
	body, _ := humagin.Unwrap(ctx).Get(bodyKey)
	bytes, _ := body.([]byte)
	return bytes
}

func (r *Router) receive(c *gin.Context) ([]byte, error) {
	if c.Request.ContentLength > maxBody {
		return nil, &domain.Error{Code: domain.CodePayloadTooLarge}
	}
	// A writer without a connection, such as a test's recorder, returns an error.
	connection := http.NewResponseController(c.Writer)
	_ = connection.SetReadDeadline(time.Now().Add(r.bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err == nil {
		// A read deadline that passes later would cancel the request's context.
		_ = connection.SetReadDeadline(time.Time{})
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &domain.Error{Code: domain.CodePayloadTooLarge}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, domain.Refuse(domain.CodeMalformed, "the body didn't arrive within %s", r.bodyTimeout)
	case err != nil:
		return nil, domain.Refuse(domain.CodeMalformed, "the body is incomplete")
	}
	return body, nil
}

// leaveBody prepares an answer to a request whose body is unread, and reports whether the
// rest can be thrown away. The answer doesn't wait for the rest, the connection is closed
// after it, and a client that never sends the rest holds it no longer than drainTimeout.
func leaveBody(c *gin.Context) bool {
	if _, read := c.Get(bodyKey); read || c.Request.ContentLength == 0 {
		return false
	}
	c.Header("Connection", "close")
	// A writer without a connection, such as a test's recorder, has no deadline, and nothing
	// to wait for.
	return http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(drainTimeout)) == nil
}

// drainBody sends the answer and throws away the rest of the body. A client that waits for
// leave to send (Expect: 100-continue) isn't given it.
func drainBody(c *gin.Context) {
	if c.Request.Header.Get("Expect") != "" {
		return
	}
	c.Writer.Flush()
	_, _ = io.CopyN(io.Discard, c.Request.Body, maxDrain) // what fails, fails for the client alone
}

// checkMediaType accepts application/json, and for PATCH also
// application/merge-patch+json (RFC 7396), in UTF-8 and without content coding.
// A body without Content-Type is refused.
func checkMediaType(req *http.Request) error {
	accepted := "application/json"
	if req.Method == http.MethodPatch {
		accepted += " or " + patchMediaType
	}
	refusal := domain.Refuse(domain.CodeUnsupportedMediaType,
		"the body must be %s in UTF-8, without content coding", accepted)

	types := req.Header.Values("Content-Type")
	if len(types) != 1 || len(req.Header.Values("Content-Encoding")) > 0 {
		return refusal
	}
	media, params, err := mime.ParseMediaType(types[0])
	charset, has := params["charset"]
	switch {
	case err != nil, has && !strings.EqualFold(charset, "utf-8"):
		return refusal
	case media == JSONMediaType, media == patchMediaType && req.Method == http.MethodPatch:
		return nil
	}
	return refusal
}
