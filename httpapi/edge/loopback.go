package edge

import (
	"net"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
)

// Loopback is the input of an operation that distinguishes local callers.
type Loopback struct {
	local bool
}

// Local reports whether the request comes directly from this machine.
func (v Loopback) Local() bool { return v.local }

// Resolve checks that the request comes from a loopback address and not through a
// proxy.
func (v *Loopback) Resolve(ctx huma.Context) []error {
	v.local = fromLoopback(humagin.Unwrap(ctx).Request)
	return nil
}

var forwardingHeaders = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}

func fromLoopback(r *http.Request) bool {
	for _, name := range forwardingHeaders {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}
