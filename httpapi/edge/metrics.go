package edge

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"docket/accounts"
	"docket/domain"
)

// requestBuckets are durations of requests, in seconds. A read-your-writes wait ends
// after 2 s, everything but a stream after defaultTimeout.
var requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15}

// statuses are the values of the label "status": a class, or "gone" for a client
// that disconnected.
var statuses = [...]string{"1xx", "2xx", "3xx", "4xx", "5xx", goneClass: "gone"}

const goneClass = 5 // position in statuses

// route is the pattern that Gin matched. It is never a path: clients could invent
// any number of them.
type route struct{ method, pattern string }

// quotas are the values of the label "quota", beside those of signing in.
var quotas = []string{addressQuota, userQuota, tenantQuota}

// metrics are the metrics of a Router, by operation.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
	refused  *prometheus.CounterVec

	routes map[route]*routeMetrics
	// none is for unknown paths and methods, other for routes that are no operations,
	// such as the files of the docs page.
	none, other *routeMetrics
}

// routeMetrics are looked up once, when the operation is registered.
type routeMetrics struct {
	requests [len(statuses)]prometheus.Counter
	seconds  prometheus.Observer // nil for an answer without end
}

// newMetrics registers the metrics with r; nil registers none.
func newMetrics(r prometheus.Registerer) *metrics {
	with := promauto.With(r)
	m := &metrics{
		requests: with.NewCounterVec(prometheus.CounterOpts{Name: "docket_http_requests_total",
			Help: "Requests answered, by operation and class of status."}, []string{"operation", "status"}),
		seconds: with.NewHistogramVec(prometheus.HistogramOpts{Name: "docket_http_request_seconds",
			Help: "Time from a request's headers to the end of its answer, by operation; without streams.", Buckets: requestBuckets},
			[]string{"operation"}),
		inFlight: with.NewGauge(prometheus.GaugeOpts{Name: "docket_http_requests_in_flight", Help: "Requests in work, streams among them."}),
		refused: with.NewCounterVec(prometheus.CounterOpts{Name: "docket_http_rate_limited_total",
			Help: "Requests refused with 429, by the quota that was used up."}, []string{"quota"}),
		routes: map[route]*routeMetrics{},
	}
	for _, quota := range slices.Concat(quotas, accounts.SignInScopes) {
		m.refused.WithLabelValues(quota)
	}
	m.none, m.other = m.of("none", true), m.of("other", true)
	return m
}

// limited counts a refusal for its quota, of which there are few; nil is none.
func (m *metrics) limited(q *domain.Quota) {
	if q != nil {
		m.refused.WithLabelValues(q.Name).Inc()
	}
}

// of returns the metrics of an operation.
func (m *metrics) of(id string, timed bool) *routeMetrics {
	r := &routeMetrics{}
	for i, status := range statuses {
		r.requests[i] = m.requests.WithLabelValues(id, status)
	}
	if timed {
		r.seconds = m.seconds.WithLabelValues(id)
	}
	return r
}

// served counts an answer. An incomplete one (completed false) is a failure whatever
// status it began with.
func (m *metrics) served(method, pattern string, status int, completed bool, took time.Duration) {
	r, ok := m.routes[route{method, pattern}]
	switch {
	case pattern == "":
		r = m.none
	case !ok:
		r = m.other
	}
	class := min(max(status/100, 1), 5)
	switch {
	case status == statusClientGone:
		r.requests[goneClass].Inc()
		return
	case !completed:
		class = 5
	}
	r.requests[class-1].Inc()
	if r.seconds != nil {
		r.seconds.Observe(took.Seconds())
	}
}
