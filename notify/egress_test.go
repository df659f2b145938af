package notify_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"docket/domain"
	"docket/notify"
)

// The addresses that may be dialled, those that a name resolves to included.
func TestAddressesThatMayBeReached(t *testing.T) {
	t.Parallel()
	public := notify.NewEgress(nil)
	private := notify.NewEgress([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")})
	for _, c := range []struct {
		address        string
		public, secure bool // without and with TLS, where nothing is allowed beside
		allowed        bool // where the operator allows 10.1.0.0/16 and fd00::/8, without TLS
	}{
		{"8.8.8.8:443", false, true, false},
		{"8.8.8.8:8443", false, true, false},
		{"8.8.8.8:80", false, false, false},
		{"8.8.8.8:22", false, false, false},
		{"[2606:4700::1111]:443", false, true, false},
		{"127.0.0.1:443", false, false, false},
		{"127.8.9.1:443", false, false, false},
		{"0.0.0.0:443", false, false, false},
		{"10.0.0.1:443", false, false, false},
		{"10.1.2.3:443", false, false, true},
		{"10.1.2.3:9000", false, false, true},
		{"172.16.0.1:443", false, false, false},
		{"192.168.1.1:443", false, false, false},
		{"100.64.0.1:443", false, false, false},      // shared by carriers
		{"169.254.169.254:443", false, false, false}, // clouds' metadata
		{"192.0.2.1:443", false, false, false},
		{"198.18.0.1:443", false, false, false},
		{"224.0.0.1:443", false, false, false},
		{"255.255.255.255:443", false, false, false},
		{"[::]:443", false, false, false},
		{"[::1]:443", false, false, false},
		{"[::ffff:127.0.0.1]:443", false, false, false},
		{"[::ffff:10.1.2.3]:443", false, false, true},
		{"[::ffff:8.8.8.8]:443", false, true, false},
		{"[::127.0.0.1]:443", false, false, false},
		{"[64:ff9b::7f00:1]:443", false, false, false},   // NAT64 of 127.0.0.1
		{"[64:ff9b:1::7f00:1]:443", false, false, false}, // local NAT64
		{"[2002:7f00:1::]:443", false, false, false},     // 6to4 of 127.0.0.1
		{"[2001::1]:443", false, false, false},           // Teredo
		{"[fe80::1]:443", false, false, false},
		{"[fe80::1%eth0]:443", false, false, false},
		{"[fc00::1]:443", false, false, false},
		{"[fd00::1]:443", false, false, true},
		{"[fd00:ec2::254]:443", false, false, true},
		{"[ff02::1]:443", false, false, false},
	} {
		for _, try := range []struct {
			name  string
			e     *notify.Egress
			plain bool
			want  bool
		}{
			{"http", public, true, c.public}, {"https", public, false, c.secure},
			{"allowed http", private, true, c.allowed}, {"allowed https", private, false, c.allowed || c.secure},
		} {
			err := try.e.Judge(c.address, try.plain)
			if (err == nil) != try.want || err != nil && !errors.Is(err, notify.ErrForbidden) {
				t.Errorf("%s by %s: got %v, want %t", c.address, try.name, err, try.want)
			}
		}
	}
}

// post sends a message to an address that a tenant has given.
func (w *world) post(e *notify.Egress, address string) error {
	w.t.Helper()
	tenant, id := newID[domain.TenantID](w.t), newID[domain.SecretID](w.t)
	if err := w.secrets().Put(w.t.Context(), tenant, id, address); err != nil {
		w.t.Fatal(err)
	}
	m := notify.Message{Notification: notify.Notification{Tenant: tenant, Title: "Title", Body: "Body"}, SlackWebhook: &id}
	return notify.NewSlack(e, w.secrets()).Send(w.t.Context(), m)
}

// No way to write an address of the machine's own networks reaches them.
func TestNothingReachesTheInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reached := make(chan string, 100)
	inside := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.Host }))
	inside.Start()
	t.Cleanup(inside.Close)
	secure := httptest.NewTLSServer(inside.Config.Handler)
	t.Cleanup(secure.Close)
	port := func(s *httptest.Server) string { return s.URL[strings.LastIndexByte(s.URL, ':'):] }

	none := notify.NewEgress(nil)
	// Where one network may be reached by http, the others may not.
	other := notify.NewEgress([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	for _, host := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0", "localhost", "LOCALHOST.", "[::1]", "[::]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "169.254.169.254", "100.64.0.1", "10.0.0.1", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
	} {
		for _, c := range []struct {
			e       *notify.Egress
			address string
		}{
			{none, "https://" + host + port(secure) + "/"}, {none, "https://" + host + "/"}, {none, "http://" + host + port(inside) + "/"},
			{other, "https://" + host + port(secure) + "/"}, {other, "http://" + host + port(inside) + "/"},
		} {
			address := c.address
			err := w.post(c.e, address)
			var f *notify.Failure
			if !errors.As(err, &f) {
				t.Errorf("%s: got %v", address, err)
				continue
			}
			// A number or name that this machine can't resolve is no less unreached.
			if !f.Permanent && !strings.Contains(err.Error(), "lookup") && !strings.Contains(err.Error(), "not supported by protocol") {
				t.Errorf("%s: got %v, want it to be refused", address, err)
			}
			if strings.Contains(f.Problem, host) {
				t.Errorf("%s: the tenant reads %q", address, f.Problem)
			}
		}
	}
	if n := len(reached); n > 0 {
		t.Errorf("%d requests came through, the first to %s", n, <-reached)
	}
}

// A redirect is an answer, and never followed.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reached := make(chan struct{}, 10)
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	t.Cleanup(inside.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		r := newReceiver(t, func(rw http.ResponseWriter, req *http.Request) { http.Redirect(rw, req, inside.URL, status) })
		err := w.post(notify.NewEgress(loopback), r.URL)
		var f *notify.Failure
		if !errors.As(err, &f) || !f.Permanent {
			t.Errorf("%d: got %v", status, err)
		}
	}
	if len(reached) > 0 {
		t.Error("a redirect was followed")
	}
}

// Networks that the operator allows are reached without TLS on any port; with TLS the
// certificate is checked.
func TestAllowedNetworks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := newReceiver(t, answers(http.StatusOK))
	if err := w.post(notify.NewEgress(loopback), r.URL); err != nil {
		t.Error(err)
	}
	if err := w.post(notify.NewEgress(loopback), strings.Replace(r.URL, "127.0.0.1", "localhost", 1)); err != nil {
		t.Error(err)
	}
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("an unknown certificate was taken") }))
	t.Cleanup(secure.Close)
	err := w.post(notify.NewEgress(loopback), secure.URL)
	var f *notify.Failure
	if !errors.As(err, &f) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want the certificate to be refused", err)
	}
}

// A proxy in the environment would dial without the check.
func TestNoProxyOfTheEnvironment(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	w := newWorld(t)
	for _, address := range []string{"http://hooks.invalid/", "https://hooks.invalid/"} {
		if err := w.post(notify.NewEgress(loopback), address); err == nil {
			t.Errorf("%s was reached", address)
		}
	}
}

func TestCheckRefusesBeforehand(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"", "hooks.slack.com/services/x", "http://hooks.slack.com/services/x", "ftp://hooks.slack.com", "https://", "https:hooks.slack.com", "https://:443/",
		"https://user:s3cret@hooks.slack.com/", "https://hooks.slack.com/ x", "https://hooks.slack.com/\nx", "https://127.0.0.1/", "https://[::1]/",
		"https://8.8.8.8:22/", "https://hooks.slack.com/" + strings.Repeat("x", 2048), "https://hooks.slack.com:port/", "%s3cret",
	} {
		err := notify.NewEgress(nil).Check(address)
		if err == nil {
			t.Errorf("%q passes", address)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q is quoted: %v", address, err)
		}
	}
	for _, address := range []string{"https://hooks.slack.com/services/T/B/x", "https://8.8.8.8/", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/"} {
		if err := notify.NewEgress(nil).Check(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, address := range []string{"http://127.0.0.1:9000/", "http://localhost:9000/"} {
		if err := notify.NewEgress(loopback).Check(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := notify.NewEgress(loopback).Check("http://8.8.8.8/"); err == nil {
		t.Error("a public network passes without TLS")
	}
}
