package edge

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// Origins are the origins (RFC 6454) whose pages may read answers in a browser (CORS, the
// Fetch standard), each exactly as a browser sends it. There is no pattern among them, and
// no answer allows credentials: Docket has no cookies.
type Origins []string

// The headers that pages of such an origin may send and read.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsSent    = "Accept, Authorization, Content-Type, Docket-Epoch, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, " +
		"X-Request-ID, X-Tenant-ID, X-Tenant-Slug"
	corsExposed = "Allow, Docket-As-Of, Docket-Epoch, Docket-Seq, ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, " +
		"Retry-After, WWW-Authenticate, X-Request-ID"
	// corsKept is how long a browser may keep the answer to a preflight, in seconds.
	corsKept = "600"
)

// ParseOrigins checks origins, such as https://app.example or http://localhost:3000: no
// path, no default port, in lower case.
func ParseOrigins(list []string) (Origins, error) {
	var out Origins
	for _, o := range list {
		o = strings.TrimSpace(o)
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.Contains(u.Host, "*") ||
			u.Scheme+"://"+u.Host != o || strings.ToLower(o) != o || !isOriginHost(u) {
			return nil, fmt.Errorf("must be origins as browsers send them, such as https://app.example, separated by commas: %q is none", o)
		}
		out = append(out, o)
	}
	return out, nil
}

func isOriginHost(u *url.URL) bool {
	visible := !strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r > '~' })
	standard := u.Scheme == "https" && u.Port() == "443" || u.Scheme == "http" && u.Port() == "80" || strings.HasSuffix(u.Host, ":")
	return visible && !standard
}

// allow sets the headers of CORS; where no origin is configured it sets none.
func (o Origins) allow(c *gin.Context) {
	if len(o) == 0 {
		return
	}
	h := c.Writer.Header()
	h.Add("Vary", "Origin")
	origins := c.Request.Header.Values("Origin")
	if len(origins) != 1 || !slices.Contains(o, origins[0]) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origins[0])
	h.Set("Access-Control-Expose-Headers", corsExposed)
}

// preflight answers the question whether a request may be sent, without a token: a
// browser sends none with it.
func (o Origins) preflight(c *gin.Context) {
	if c.Request.Method != http.MethodOptions || c.GetHeader("Access-Control-Request-Method") == "" ||
		c.Writer.Header().Get("Access-Control-Allow-Origin") == "" {
		return
	}
	h := c.Writer.Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsSent)
	h.Set("Access-Control-Max-Age", corsKept)
	h.Del("Access-Control-Expose-Headers")
	h.Del("Allow")
	c.AbortWithStatus(http.StatusNoContent)
}
