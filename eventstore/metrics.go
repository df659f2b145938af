package eventstore

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Buckets of durations, in seconds: an append takes some milliseconds and is
// given up after appendTimeout; a page may wait for minutes.
var (
	appendBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	lagBuckets    = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
)

// Register adds what the Store counts to a registry, once for each registry. It
// counts whether registered or not. docs/operations.md explains each metric.
func (s *Store) Register(r prometheus.Registerer) {
	r.MustRegister(s.metrics.collectors...)
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_append_queue_commits",
			Help: "Commits that wait for their batch."}, func() float64 { waiting, _ := s.queue.load(); return float64(waiting) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_append_flights",
			Help: "Batches that are under way."}, func() float64 { _, inFlight := s.queue.load(); return float64(inFlight) }),
	)
}

// storeMetrics is what appends count. The counters by outcome are looked up
// once, here.
type storeMetrics struct {
	collectors []prometheus.Collector

	applied, conflict, claimed, noTenant, remembered, tooLarge prometheus.Counter
	overloaded, unavailable, unknown, failed                   prometheus.Counter

	events       prometheus.Counter
	batchCommits prometheus.Histogram
	splits       prometheus.Counter
	lockedOut    prometheus.Counter
	wait         prometheus.Histogram
	call         prometheus.Histogram
	lost         prometheus.Counter
	resolved     prometheus.Counter
}

func newStoreMetrics() *storeMetrics {
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "docket_append_commits_total",
		Help: "Commits answered, by outcome."}, []string{"outcome"})
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	m := &storeMetrics{
		applied: outcomes.WithLabelValues("applied"), conflict: outcomes.WithLabelValues("conflict"),
		claimed: outcomes.WithLabelValues("claimed"), noTenant: outcomes.WithLabelValues("tenant"),
		remembered: outcomes.WithLabelValues("remembered"), tooLarge: outcomes.WithLabelValues("too_large"),
		overloaded: outcomes.WithLabelValues("overloaded"), unavailable: outcomes.WithLabelValues("unavailable"),
		unknown: outcomes.WithLabelValues("unknown"), failed: outcomes.WithLabelValues("failed"),

		events: counter("docket_append_events_total", "Events written."),
		batchCommits: histogram("docket_append_batch_commits", "Commits in one call of the append function.",
			[]float64{1, 2, 4, 8, 16, 32, 64, batchCommits}),
		splits:    counter("docket_append_splits_total", "Batches split because something in them couldn't be written."),
		lockedOut: counter("docket_append_locked_total", "Batches put back because a tenant's log stayed locked."),
		wait:      histogram("docket_append_wait_seconds", "Time of a Commit from its entry to its batch's call.", appendBuckets),
		call:      histogram("docket_append_flight_seconds", "Time of one call of the append function.", appendBuckets),
		lost:      counter("docket_append_answers_lost_total", "Commits whose answer was lost, and which were sent again."),
		resolved:  counter("docket_append_answers_resolved_total", "Commits whose answer was lost and whose outcome was found out."),
	}
	m.collectors = []prometheus.Collector{outcomes, m.events, m.batchCommits, m.splits, m.lockedOut, m.wait, m.call, m.lost, m.resolved}
	return m
}

// answered counts a Commit by its outcome.
func (m *storeMetrics) answered(err error, events int) {
	if err == nil {
		m.applied.Inc()
		m.events.Add(float64(events))
		return
	}
	m.refused(err).Inc()
}

// refused is the counter of an error that Append returns.
func (m *storeMetrics) refused(err error) prometheus.Counter {
	var (
		conflict   *ConflictError
		claimed    *ClaimedError
		tenant     *TenantError
		remembered *RememberedError
		size       *SizeError
	)
	switch {
	case errors.As(err, &conflict):
		return m.conflict
	case errors.As(err, &claimed):
		return m.claimed
	case errors.As(err, &tenant):
		return m.noTenant
	case errors.As(err, &remembered):
		return m.remembered
	case errors.As(err, &size):
		return m.tooLarge
	case errors.Is(err, ErrOutcomeUnknown):
		return m.unknown
	case errors.Is(err, ErrOverloaded):
		return m.overloaded
	case errors.Is(err, ErrUnavailable):
		return m.unavailable
	}
	return m.failed
}

// called notes one call of the append function that began at start.
func (m *storeMetrics) called(b *batch, start time.Time) {
	m.call.Observe(time.Since(start).Seconds())
	m.batchCommits.Observe(float64(len(b.commits)))
}

// dispatched notes how long the Commits of a batch waited for it.
func (m *storeMetrics) dispatched(f *inFlightBatch) {
	now := time.Now()
	for _, w := range f.commits {
		m.wait.Observe(now.Sub(w.enqueuedAt).Seconds())
	}
}

// feedMetrics is what a Feed counts, by subscription: their names are the
// program's, and few.
type feedMetrics struct {
	pages, events, failures, unknown *prometheus.CounterVec
	page, lag                        *prometheus.HistogramVec
	behind, behindTenants, parked    *prometheus.GaugeVec
}

// newFeedMetrics makes a Feed's metrics; registered nowhere where r is nil.
func newFeedMetrics(r prometheus.Registerer) *feedMetrics {
	var (
		by    = []string{"subscription"}
		with  = promauto.With(r)
		count = func(name, help string) *prometheus.CounterVec {
			return with.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, by)
		}
		gauge = func(name, help string) *prometheus.GaugeVec {
			return with.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, by)
		}
		histogram = func(name, help string, buckets []float64) *prometheus.HistogramVec {
			return with.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, by)
		}
	)
	return &feedMetrics{
		pages:    count("docket_feed_pages_total", "Pages handled and committed."),
		events:   count("docket_feed_events_total", "Events in the pages handled, and passed by them or without any."),
		failures: count("docket_feed_failures_total", "Pages that a handler failed on."),
		unknown:  count("docket_feed_left_to_newer_total", "Places where an event was left to a newer version of the program."),
		page:     histogram("docket_feed_page_seconds", "Time from reading a page to its commit.", appendBuckets),
		lag:      histogram("docket_feed_lag_seconds", "Age of a page's oldest event when the page was committed.", lagBuckets),
		behind:   gauge("docket_feed_behind_events", "Events not handled yet, at the last sweep."),
		behindTenants: gauge("docket_feed_behind_tenants",
			"Tenants with events not handled yet, at the last sweep."),
		parked: gauge("docket_feed_parked_tenants", "Tenants whose next event has failed and is tried again later, at the last sweep."),
	}
}

// subscriptionMetrics is what one subscription counts, looked up once.
type subscriptionMetrics struct {
	pages, events, failures, unknown prometheus.Counter
	page, lag                        prometheus.Observer
	behind, behindTenants, parked    prometheus.Gauge
}

func (m *feedMetrics) of(subscription string) *subscriptionMetrics {
	return &subscriptionMetrics{
		pages: m.pages.WithLabelValues(subscription), events: m.events.WithLabelValues(subscription),
		failures: m.failures.WithLabelValues(subscription), unknown: m.unknown.WithLabelValues(subscription),
		page: m.page.WithLabelValues(subscription), lag: m.lag.WithLabelValues(subscription),
		behind: m.behind.WithLabelValues(subscription), behindTenants: m.behindTenants.WithLabelValues(subscription),
		parked: m.parked.WithLabelValues(subscription),
	}
}

// handled notes a page that is committed now, and how many events of the log it went
// past.
func (m *subscriptionMetrics) handled(p *Page, events int64) {
	m.pages.Inc()
	m.events.Add(float64(events))
	m.page.Observe(time.Since(p.begun).Seconds())
	if len(p.Events) == 0 {
		return // nobody waited for what isn't read
	}
	// The event's clock is Postgres's: between machines it may be ahead of ours.
	m.lag.Observe(max(0, time.Since(p.Events[0].At).Seconds()))
}
