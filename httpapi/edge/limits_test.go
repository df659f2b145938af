package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/apitest"
)

// requestFrom is a request of an address.
func (s *sample) requestFrom(address, path string) *httptest.ResponseRecorder {
	s.t.Helper()
	req := s.request("GET", path, "")
	req.RemoteAddr = address
	return s.do(req)
}

func TestLimitOfAnAddress(t *testing.T) {
	t.Parallel()
	s := newSample(t, func(c *Config) { c.Limits.Address = 1 })
	for i := range 10 { // the quota of the window; unknown paths count too
		path, want := "/v1/things", 200
		if i%2 == 0 {
			path, want = "/nowhere", 404
		}
		if rec := s.requestFrom("192.0.2.1:1000", path); rec.Code != want {
			t.Fatalf("request %d: %d", i, rec.Code)
		}
	}
	refused := s.requestFrom("192.0.2.1:2000", "/v1/things")
	apitest.WantProblem(t, refused, 429, domain.CodeRateLimited)
	for name, want := range map[string]string{"Retry-After": "1", "RateLimit": `"address";r=0;t=1`, "RateLimit-Policy": `"address";q=10;w=10`} {
		if got := refused.Header().Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	// It is before everything else: the token isn't looked at, nor the path.
	apitest.WantProblem(t, s.requestFrom("192.0.2.1:3000", "/nowhere"), 429, domain.CodeRateLimited)
	if rec := s.requestFrom("192.0.2.2:1000", "/v1/things"); rec.Code != 200 {
		t.Errorf("another address: %d", rec.Code)
	}
}

// Another one in its /64 costs a client of IPv6 nothing.
func TestLimitOfANetwork(t *testing.T) {
	t.Parallel()
	s := newSample(t, func(c *Config) { c.Limits.Address = 1 })
	for i := range 10 {
		s.requestFrom(fmt.Sprintf("[2001:db8::%x]:1000", i+1), "/v1/things")
	}
	apitest.WantProblem(t, s.requestFrom("[2001:db8:0:0:ffff::1]:1000", "/v1/things"), 429, domain.CodeRateLimited)
	if rec := s.requestFrom("[2001:db8:0:1::1]:1000", "/v1/things"); rec.Code != 200 {
		t.Errorf("another network: %d", rec.Code)
	}
}

func TestQuotasFillUpAgain(t *testing.T) {
	t.Parallel()
	b, now := newBuckets[int]("user", 2), time.Now()
	for range 20 {
		if err := b.take(1, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.take(1, now); domain.CodeOf(err) != domain.CodeRateLimited {
		t.Errorf("the 21st: %v", err)
	}
	if err := b.take(2, now); err != nil {
		t.Errorf("another's: %v", err)
	}
	for i := range 2 {
		if err := b.take(1, now.Add(time.Second)); err != nil {
			t.Errorf("%d after a second: %v", i, err)
		}
	}
	if err := b.take(1, now.Add(time.Second)); domain.CodeOf(err) != domain.CodeRateLimited {
		t.Errorf("the third after a second: %v", err)
	}
	if err := (*buckets[int])(nil).take(1, now); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	for i := range maxBuckets + 10 {
		_ = b.take(i, now)
	}
	if b.all.Len() != maxBuckets {
		t.Errorf("%d buckets are kept", b.all.Len())
	}
}

func TestAddressOfTheClient(t *testing.T) {
	t.Parallel()
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for name, tc := range map[string]struct {
		peer, want string
		headers    []string // of X-Forwarded-For
	}{
		"without a proxy":                {"192.0.2.1:1", "192.0.2.1", nil},
		"a claim of no proxy":            {"192.0.2.1:1", "192.0.2.1", []string{"198.51.100.1"}},
		"of loopback, which isn't named": {"127.0.0.1:1", "127.0.0.1", []string{"198.51.100.1"}},
		"through a proxy":                {"10.0.0.1:1", "198.51.100.1", []string{"198.51.100.1"}},
		"a proxy without the header":     {"10.0.0.1:1", "10.0.0.1", nil},
		"a claim before the proxy's":     {"10.0.0.1:1", "198.51.100.1", []string{"127.0.0.1, 203.0.113.9,198.51.100.1"}},
		"through two":                    {"10.0.0.1:1", "198.51.100.1", []string{"203.0.113.9, 198.51.100.1, 10.0.0.2"}},
		"in two lines":                   {"10.0.0.1:1", "198.51.100.1", []string{"203.0.113.9, 198.51.100.1", "10.0.0.2"}},
		"of a client that is a proxy":    {"10.0.0.1:1", "10.0.0.3", []string{"10.0.0.3, 10.0.0.2"}},
		"with ports":                     {"10.0.0.1:1", "2001:db9::1", []string{"[2001:db9::1]:4000"}},
		"with a bracket":                 {"[2001:db8::1]:1", "2001:db9::1", []string{"[2001:db9::1]"}},
		"what is no address":             {"10.0.0.1:1", "10.0.0.2", []string{"198.51.100.1, unknown, 10.0.0.2"}},
		"an empty header":                {"10.0.0.1:1", "10.0.0.1", []string{""}},
		"a comma at the end":             {"10.0.0.1:1", "10.0.0.1", []string{"198.51.100.1,"}},
		"of IPv4 in IPv6":                {"[::ffff:10.0.0.1]:1", "198.51.100.1", []string{"::ffff:198.51.100.1"}},
		"of a socket":                    {"@", "", []string{"198.51.100.1"}},
		"of nothing":                     {"", "", nil},
	} {
		req := httptest.NewRequest("GET", "/", nil)
		req.RemoteAddr = tc.peer
		req.Header[http.CanonicalHeaderKey("X-Forwarded-For")] = tc.headers
		req.Header.Set("X-Real-IP", "203.0.113.1")
		req.Header.Set("Forwarded", "for=203.0.113.2")
		if got := addressText(trusted.client(req)); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// The log has the address that the limits count.
func TestAddressInTheLog(t *testing.T) {
	t.Parallel()
	s := newSample(t, func(c *Config) { c.Proxies = Proxies{netip.MustParsePrefix("192.0.2.0/24")} })
	req := s.request("GET", "/v1/things", "", "X-Forwarded-For", "203.0.113.9, 198.51.100.1")
	req.RemoteAddr = "192.0.2.1:1000"
	s.do(req)
	if text := s.log.String(); !strings.Contains(text, `"address":"198.51.100.1"`) {
		t.Error(text)
	}
}

// BenchmarkLimits is what the limits cost each request.
func BenchmarkLimits(b *testing.B) {
	l := newLimits(Limits{Address: 1 << 40, User: 1 << 40, Tenant: 1 << 40})
	network, user, tenant := netip.MustParsePrefix("192.0.2.1/32"), domain.UserID{1}, domain.TenantID{1}
	for b.Loop() {
		now := time.Now()
		if l.address.take(network, now) != nil || l.user.take(user, now) != nil || l.tenant.take(tenant, now) != nil {
			b.Fatal("refused")
		}
	}
}
