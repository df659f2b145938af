package edge

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"docket/domain"
)

// Limits are how many requests a second one address, user or tenant may make, on average;
// 0 is any number. Each has limitWindow's worth of them at once. Every replica counts for
// itself, so behind a balancer N replicas allow up to N times as much.
type Limits struct {
	Address, User, Tenant int
}

const (
	// limitWindow is how long a quota takes to fill up again.
	limitWindow = 10 * time.Second
	// maxBuckets is how many addresses, users and tenants are remembered each. One that is
	// forgotten begins with a full quota.
	maxBuckets = 50_000
)

// The names of the quotas.
const (
	addressQuota = "address"
	userQuota    = "user"
	tenantQuota  = "tenant"
)

// limits count the requests of this replica.
type limits struct {
	address *buckets[netip.Prefix]
	user    *buckets[domain.UserID]
	tenant  *buckets[domain.TenantID]
	// exempt are the paths that the limit of an address leaves out.
	exempt map[string]bool
}

func newLimits(l Limits) limits {
	return limits{
		address: newBuckets[netip.Prefix](addressQuota, l.Address), user: newBuckets[domain.UserID](userQuota, l.User),
		tenant: newBuckets[domain.TenantID](tenantQuota, l.Tenant), exempt: map[string]bool{},
	}
}

// limitAddress refuses a request of an address that has used up its quota, before anything
// else is looked at.
func (r *Router) limitAddress(c *gin.Context) {
	if r.limits.address == nil || r.limits.exempt[c.FullPath()] {
		return
	}
	ctx := c.Request.Context()
	if err := r.limits.address.take(Network(addressFrom(ctx)), time.Now()); err != nil {
		writeProblem(c, r.problem(ctx, err))
	}
}

// buckets are a token bucket for each key; nil is no limit.
type buckets[K comparable] struct {
	name      string
	perSecond int
	all       *lru.Cache[K, *rate.Limiter]
}

func newBuckets[K comparable](name string, perSecond int) *buckets[K] {
	if perSecond <= 0 {
		return nil
	}
	all, err := lru.New[K, *rate.Limiter](maxBuckets)
	if err != nil {
		panic(err) // only for a size that isn't positive
	}
	return &buckets[K]{name, perSecond, all}
}

// burst is how many requests are allowed at once.
func (b *buckets[K]) burst() int { return b.perSecond * int(limitWindow/time.Second) }

// take takes a token for a request, or returns CodeRateLimited.
func (b *buckets[K]) take(key K, now time.Time) error {
	if b == nil {
		return nil
	}
	bucket, ok := b.all.Get(key)
	if !ok {
		bucket = rate.NewLimiter(rate.Limit(b.perSecond), b.burst())
		if other, found, _ := b.all.PeekOrAdd(key, bucket); found {
			bucket = other
		}
	}
	if bucket.AllowN(now, 1) {
		return nil
	}
	missing := 1 - bucket.TokensAt(now)
	return domain.RateLimited(domain.Quota{
		Name: b.name, Requests: b.burst(), Window: limitWindow,
		Retry: time.Duration(missing / float64(b.perSecond) * float64(time.Second)),
	}, "too many requests of this %s: %d a second are allowed", b.name, b.perSecond)
}

// The headers of 429, of which RateLimit and RateLimit-Policy are a draft
// (draft-ietf-httpapi-ratelimit-headers-10).
const (
	retryHeader  = "Retry-After"
	limitHeader  = "RateLimit"
	policyHeader = "RateLimit-Policy"
)

// quotaHeaders sets the headers that tell a quota.
func quotaHeaders(h http.Header, q domain.Quota) {
	after := max(int(math.Ceil(q.Retry.Seconds())), 1)
	h.Set(retryHeader, strconv.Itoa(after))
	h.Set(limitHeader, fmt.Sprintf(`"%s";r=0;t=%d`, q.Name, after))
	h.Set(policyHeader, fmt.Sprintf(`"%s";q=%d;w=%d`, q.Name, q.Requests, int(q.Window.Seconds())))
}

// limitedHeaders documents them.
func limitedHeaders() map[string]*huma.Param {
	text := func(doc, example string) *huma.Param {
		return &huma.Param{Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
	}
	return map[string]*huma.Param{
		retryHeader: {Required: true, Description: "Seconds until another request is allowed.",
			Schema: &huma.Schema{Type: huma.TypeInteger}},
		limitHeader:  text("The quota that is used up: r is what is left, t the seconds until there is more.", `"user";r=0;t=1`),
		policyHeader: text("The quota: q requests in w seconds.", `"user";q=30000;w=10`),
	}
}
