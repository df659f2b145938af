package edge

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
)

// Loopback is the input of an operation that distinguishes local callers.
type Loopback struct {
	local bool
}

// Local reports whether the request comes directly from a program on this machine, or
// from this server's own pages.
func (v Loopback) Local() bool { return v.local }

// Resolve checks that the request comes from a loopback address, not through a proxy,
// and not from another site's page in a browser on this machine.
func (v *Loopback) Resolve(ctx huma.Context) []error {
	r := humagin.Unwrap(ctx).Request
	v.local = direct(r) && addressFrom(r.Context()).IsLoopback() && loopbackHost(r.Host) && ownOrigin(r)
	return nil
}

var forwardingHeaders = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"}

// direct reports whether no proxy has left a trace in the request.
func direct(r *http.Request) bool {
	for _, name := range forwardingHeaders {
		if len(r.Header.Values(name)) > 0 {
			return false
		}
	}
	return true
}

// loopbackHost reports whether a host, with or without port, is localhost or a loopback
// address. Any other name may be of a site that has it resolve to this machine, so that
// its page counts as this server's own (DNS rebinding).
func loopbackHost(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

// ownOrigin reports whether the request names no origin, as that of a program, or this
// server's own (RFC 6454, section 7). A browser names the origin of the page in every
// POST.
func ownOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	origin, err := url.Parse(origins[0])
	return err == nil && len(origins) == 1 && origin.Host != "" && strings.EqualFold(origin.Host, r.Host)
}
