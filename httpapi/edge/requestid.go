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

// identify gives the request an id: the client's own where it is 1 to 128
// visible ASCII characters, else a new UUIDv7. The answer carries it in
// X-Request-ID. An unfit one is replaced, not refused: it is a matter of
// tracing, and whatever is taken over ends up in logs and in the activity log.
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

// requestIDFrom is the id that identify gave the request, or "" outside one. It
// is tracing, and so the one value that a request's context carries.
func requestIDFrom(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
