package edge

import (
	"context"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

const (
	requestIDHeader = "X-Request-ID"
	maxRequestID    = 128
)

type requestIDKey struct{}

// identify gives the request an id: the client's X-Request-ID if it has 1 to 128
// visible ASCII characters, else a new UUIDv7. The answer carries it. An invalid id is
// replaced, not refused, because it serves tracing only; a valid one is written to
// logs and to the activity log.
func identify(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !validRequestID(id) {
		id = uuid.Must(uuid.NewV7()).String()
	}
	c.Header(requestIDHeader, id)
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestIDKey{}, id))
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
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
