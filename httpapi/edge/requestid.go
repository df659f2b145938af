package edge

import (
	"context"
	"net/netip"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

const (
	requestIDHeader = "X-Request-ID"
	maxRequestID    = 128
)

type senderKey struct{}

// sender is what a request's context knows of it before any check.
type sender struct {
	requestID string
	address   netip.Addr
}

// identify gives the request an id: the client's X-Request-ID if it has 1 to 128
// visible ASCII characters, else a new UUIDv7. The answer carries it. An invalid id is
// replaced, not refused, because it serves tracing only; a valid one is written to
// logs and to the activity log. It decides the client's address too.
func (r *Router) identify(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !validRequestID(id) {
		id = uuid.Must(uuid.NewV7()).String()
	}
	c.Header(requestIDHeader, id)
	from := sender{id, r.proxies.client(c.Request)}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), senderKey{}, &from))
}

func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// requestIDFrom returns the id that identify gave the request, or "" outside a
// request.
func requestIDFrom(ctx context.Context) string {
	if from, ok := ctx.Value(senderKey{}).(*sender); ok {
		return from.requestID
	}
	return ""
}

// addressFrom returns the address that identify found, the zero value outside a request.
func addressFrom(ctx context.Context) netip.Addr {
	if from, ok := ctx.Value(senderKey{}).(*sender); ok {
		return from.address
	}
	return netip.Addr{}
}
