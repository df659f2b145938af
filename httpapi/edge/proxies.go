package edge

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the proxies that are trusted to append the address of their
// client to X-Forwarded-For. No header is believed from any other address.
type Proxies []netip.Prefix

// client returns the address of a request's client: the right-most one of X-Forwarded-For
// that is no trusted proxy's, if a trusted proxy sent the request, else that of the
// connection. What stands left of it is the client's own claim. It is the zero value for a
// connection without an IP address.
func (p Proxies) client(r *http.Request) netip.Addr {
	peer, ok := parseAddress(r.RemoteAddr)
	if !ok || !p.trust(peer) {
		return peer
	}
	nearest := peer
	for _, line := range slices.Backward(r.Header.Values("X-Forwarded-For")) {
		for line != "" {
			last := strings.LastIndexByte(line, ',')
			address, ok := parseAddress(strings.TrimSpace(line[last+1:]))
			if !ok {
				return nearest
			}
			if nearest = address; !p.trust(address) {
				return address
			}
			line = line[:max(last, 0)]
		}
	}
	return nearest
}

// secure reports whether a trusted proxy sent the request, and got it over TLS.
func (p Proxies) secure(r *http.Request) bool {
	peer, ok := parseAddress(r.RemoteAddr)
	return ok && p.trust(peer) && r.Header.Get("X-Forwarded-Proto") == "https"
}

func (p Proxies) trust(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(a) })
}

// parseAddress reads an address with or without a port, as some proxies write it.
func parseAddress(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}

// addressText is an address for the log; empty for none.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// Network is what counts as one client: an IPv4 address, or the /64 of an IPv6 address,
// which is the least that a provider assigns. It is the zero value for no address.
func Network(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}
	network, err := a.Prefix(bits)
	if err != nil { // no address
		return netip.Prefix{}
	}
	return network
}
