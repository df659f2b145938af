package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"

	"docket/domain"
)

// statusClientGone is the status in the access log, as in nginx's, of a request whose
// client disconnected before the answer. It is no failure of the server.
const statusClientGone = 499

// accessLog counts each request and logs one line: method, route pattern, status,
// bytes, duration, request id, the client's address (Proxies) and, once they are
// verified, tenant and user. It never logs the path, a header or
// a body, which may hold secrets. An unknown path has the route "none".
func accessLog(log *slog.Logger, m *metrics) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		m.inFlight.Inc()
		// Handlers replace the request's context by one with a deadline; only this
		// one ends when the client disconnects.
		ctx := c.Request.Context()
		completed := false
		defer func() {
			status, level := c.Writer.Status(), slog.LevelInfo
			switch {
			case errors.Is(ctx.Err(), context.Canceled):
				status = statusClientGone
			case !completed || status >= http.StatusInternalServerError:
				level = slog.LevelError
			}
			route, took := c.FullPath(), time.Since(start)
			m.inFlight.Dec()
			m.served(c.Request.Method, route, status, completed, took)
			if route == "" {
				route = "none"
			}
			log.LogAttrs(ctx, level, "request",
				slog.String("method", loggedMethod(c.Request.Method)),
				slog.String("route", route),
				slog.Int("status", status),
				slog.Int("bytes", max(c.Writer.Size(), 0)),
				slog.Float64("duration_ms", float64(took.Microseconds())/1000),
				slog.Bool("aborted", !completed),
				slog.String("request_id", requestIDFrom(c.Request.Context())),
				slog.String("address", addressText(addressFrom(c.Request.Context()))),
				slog.Attr{Value: slog.GroupValue(callerLine(c)...)})
		}()
		c.Next()
		completed = true
	}
}

// callerLine is the tenant and the user of a request, as far as they are verified. Its group
// has no name, so that they stand beside the other attributes.
func callerLine(c *gin.Context) (attrs []slog.Attr) {
	kept, _ := c.Get(callerKey)
	caller, ok := kept.(*Caller)
	if !ok {
		return nil
	}
	if !caller.Tenant.IsZero() {
		attrs = append(attrs, slog.String("tenant", caller.Tenant.String()))
	}
	if !caller.Identity.User.IsZero() {
		attrs = append(attrs, slog.String("user", caller.Identity.User.String()))
	}
	return attrs
}

// loggedMethod replaces methods that a client invents by "other".
func loggedMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "other"
}

// recovery answers a panic with the problem "internal" and logs its value and stack.
// If the answer has begun, it closes the connection instead, so that the client
// doesn't take a part of the answer for all of it.
func recovery(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		headers := c.Writer.Header().Clone()
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			log.LogAttrs(c.Request.Context(), slog.LevelError, "panic",
				slog.String("panic", fmt.Sprint(v)),
				slog.String("route", c.FullPath()),
				slog.String("request_id", requestIDFrom(c.Request.Context())),
				slog.String("stack", string(debug.Stack())))
			if c.Writer.Written() {
				panic(http.ErrAbortHandler)
			}
			// Headers that the handler has set, such as ETag, don't describe the
			// problem.
			clear(c.Writer.Header())
			maps.Copy(c.Writer.Header(), headers)
			writeProblem(c, newProblem(&domain.Error{Code: domain.CodeInternal}, requestIDFrom(c.Request.Context())))
		}()
		c.Next()
	}
}
