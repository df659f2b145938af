package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

const (
	// maxWebhook is the greatest length of an address, in bytes.
	maxWebhook = 2048
	// dialTimeout limits connecting, TLS included, within the attempt's own timeout.
	dialTimeout = 10 * time.Second
	// maxAnswerHeader is how much of an answer's header is read, in bytes.
	maxAnswerHeader = 64 << 10
)

// publicPorts are the ports that are reachable in public networks.
var publicPorts = []uint16{443, 8443}

// errForbidden is the error for an address that is not allowed.
var errForbidden = errors.New("address not allowed")

// Egress sends requests to addresses that tenants have set. It reaches public networks
// by https only, and networks that the operator allows by http too and on any port.
//
// It checks the address when it dials, after resolving the name: a name that resolves
// differently the second time gains nothing. It follows no redirect and uses no proxy
// of the environment.
type Egress struct {
	allowed []netip.Prefix
	guard   *ssrf.Guardian
	client  *http.Client
}

// NewEgress makes an Egress. allowed are the networks that it reaches beside the
// public ones.
func NewEgress(allowed []netip.Prefix) *Egress {
	e := &Egress{allowed: allowed, guard: ssrf.New(ssrf.WithPorts(publicPorts...))}
	plain := &net.Dialer{Timeout: dialTimeout, Control: e.control(true)}
	secure := &tls.Dialer{NetDialer: &net.Dialer{Timeout: dialTimeout, Control: e.control(false)}}
	e.client = &http.Client{
		Transport: &http.Transport{
			Proxy:       nil, // a proxy would dial without the check
			DialContext: plain.DialContext,
			DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				ctx, cancel := context.WithTimeout(ctx, dialTimeout)
				defer cancel()
				return secure.DialContext(ctx, network, addr)
			},
			DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswerHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return e
}

// control checks each address that is about to be dialled.
func (e *Egress) control(plain bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %w", errForbidden, err)
		}
		return e.allow(to, plain)
	}
}

// allow returns errForbidden for an address that is not allowed; plain is http.
func (e *Egress) allow(to netip.AddrPort, plain bool) error {
	ip := to.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(e.allowed, func(p netip.Prefix) bool { return p.Contains(ip) }) {
		return nil
	}
	if plain {
		return fmt.Errorf("%w: %s without TLS", errForbidden, ip)
	}
	if err := e.guard.SafeAddrPort(netip.AddrPortFrom(ip, to.Port())); err != nil {
		return fmt.Errorf("%w: %w", errForbidden, err)
	}
	return nil
}

// Check refuses an address that could never be reached, with an error for the user who
// entered it. An accepted address may still be refused when it is dialled: Check does
// not resolve its name.
func (e *Egress) Check(address string) error {
	_, err := e.parse(address)
	return err
}

func (e *Egress) parse(address string) (*url.URL, error) {
	if len(address) > maxWebhook {
		return nil, fmt.Errorf("longer than %d bytes", maxWebhook)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" || strings.ContainsAny(address, " \t\r\n") {
		return nil, errors.New("not an address such as https://hooks.slack.com/services/…") // the cause would quote it
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && len(e.allowed) > 0:
	default:
		return nil, errors.New("must begin with https://")
	}
	if u.User != nil {
		return nil, errors.New("must not hold a user or password")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		port := uint16(publicPorts[0])
		if p, err := net.LookupPort("tcp", u.Port()); u.Port() != "" && err == nil {
			port = uint16(p)
		}
		if e.allow(netip.AddrPortFrom(ip, port), u.Scheme == "http") != nil {
			return nil, errors.New("must be in a public network, on port 443 or 8443")
		}
	}
	return u, nil
}
