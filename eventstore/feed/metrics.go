package feed

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Buckets of durations, in seconds: a page takes some milliseconds, and may wait for minutes.
var (
	pageBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	lagBuckets  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
)

// feedMetrics is what a Feed counts, by subscription: their names are the
// program's, and few.
type feedMetrics struct {
	pages, events, failures, unknown     *prometheus.CounterVec
	page, lag                            *prometheus.HistogramVec
	behind, behindTenants, parked, ahead *prometheus.GaugeVec
	lastSweep                            *prometheus.GaugeVec
}

// newFeedMetrics makes a Feed's metrics. With a nil r they aren't registered.
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
		page:     histogram("docket_feed_page_seconds", "Time from reading a page to its commit.", pageBuckets),
		lag:      histogram("docket_feed_lag_seconds", "Age of a page's oldest event when the page was committed.", lagBuckets),
		behind:   gauge("docket_feed_behind_events", "Events not handled yet, at the last sweep."),
		behindTenants: gauge("docket_feed_behind_tenants",
			"Tenants with events not handled yet, at the last sweep."),
		ahead:  gauge("docket_feed_ahead_tenants", "Tenants whose checkpoint was ahead of the log, or whose rows wait for a rebuild since it was, at the last sweep."),
		parked: gauge("docket_feed_parked_tenants", "Tenants whose next event has failed and is tried again later, at the last sweep."),
		lastSweep: gauge("docket_feed_last_sweep_timestamp_seconds",
			"When the last sweep that succeeded ended. While it stands still, the other gauges do too."),
	}
}

// subscriptionMetrics is what one subscription counts, looked up once.
type subscriptionMetrics struct {
	pages, events, failures, unknown     prometheus.Counter
	page, lag                            prometheus.Observer
	behind, behindTenants, parked, ahead prometheus.Gauge
	lastSweep                            prometheus.Gauge
}

func (m *feedMetrics) of(subscription string) *subscriptionMetrics {
	return &subscriptionMetrics{
		pages: m.pages.WithLabelValues(subscription), events: m.events.WithLabelValues(subscription),
		failures: m.failures.WithLabelValues(subscription), unknown: m.unknown.WithLabelValues(subscription),
		page: m.page.WithLabelValues(subscription), lag: m.lag.WithLabelValues(subscription),
		behind: m.behind.WithLabelValues(subscription), behindTenants: m.behindTenants.WithLabelValues(subscription),
		parked: m.parked.WithLabelValues(subscription), ahead: m.ahead.WithLabelValues(subscription), lastSweep: m.lastSweep.WithLabelValues(subscription),
	}
}

// handled counts a page that is committed now, and the events of the log by which it
// advanced the checkpoint.
func (m *subscriptionMetrics) handled(p *Page, events int64) {
	m.pages.Inc()
	m.events.Add(float64(events))
	m.page.Observe(time.Since(p.begun).Seconds())
	if len(p.Events) == 0 {
		return // the lag is that of events in pages only
	}
	// The event's clock is Postgres's: between machines it may be ahead of ours.
	m.lag.Observe(max(0, time.Since(p.Events[0].At).Seconds()))
}
