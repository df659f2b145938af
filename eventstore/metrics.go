package eventstore

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Buckets of durations, in seconds: an append takes some milliseconds and ends at
// appendTimeout.
var (
	appendBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
)

// Register adds what the Store counts to a registry, once for each registry. It
// counts whether registered or not. docs/operations.md explains each metric.
func (s *Store) Register(r prometheus.Registerer) {
	r.MustRegister(s.metrics.collectors...)
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_append_queue_commits",
			Help: "Commits that wait for their batch."}, func() float64 { waiting, _ := s.queue.load(); return float64(waiting) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_append_batches_in_flight",
			Help: "Batches that are under way."}, func() float64 { _, inFlight := s.queue.load(); return float64(inFlight) }),
	)
}

// storeMetrics is what appends count. The counters by outcome are looked up
// once, here.
type storeMetrics struct {
	collectors []prometheus.Collector

	applied, conflict, claimed, noTenant, remembered, tooLarge prometheus.Counter
	overloaded, unavailable, serverChanged, unknown, failed    prometheus.Counter

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
		serverChanged: outcomes.WithLabelValues("server_changed"),
		unknown:       outcomes.WithLabelValues("unknown"), failed: outcomes.WithLabelValues("failed"),

		events: counter("docket_append_events_total", "Events written."),
		batchCommits: histogram("docket_append_batch_commits", "Commits in one call of the append function.",
			[]float64{1, 2, 4, 8, 16, 32, 64, batchCommits}),
		splits:    counter("docket_append_splits_total", "Batches split because something in them couldn't be written."),
		lockedOut: counter("docket_append_locked_total", "Batches put back because a tenant's log stayed locked."),
		wait:      histogram("docket_append_wait_seconds", "Time of a Commit from its entry to its batch's call.", appendBuckets),
		call:      histogram("docket_append_batch_seconds", "Time of one call of the append function.", appendBuckets),
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
	case errors.Is(err, ErrServerChanged):
		return m.serverChanged
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
