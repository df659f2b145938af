package commands

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the metrics of Commands. docs/operations.md explains each.
type metrics struct {
	attempts  prometheus.Histogram
	conflicts prometheus.Counter
	stale     prometheus.Counter
	givenUp   prometheus.Counter

	foldHits, foldMisses prometheus.Counter
}

// newMetrics makes the metrics, and registers them unless r is nil.
func newMetrics(r prometheus.Registerer, f *folds) *metrics {
	with := promauto.With(r)
	counter := func(name, help string) prometheus.Counter {
		return with.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	with.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_fold_cache_entries",
		Help: "Folded aggregates in the cache."}, func() float64 { n, _ := f.load(); return float64(n) })
	with.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_fold_cache_bytes",
		Help: "Estimated size of the folded aggregates in the cache."}, func() float64 { _, n := f.load(); return float64(n) })
	return &metrics{
		attempts: with.NewHistogram(prometheus.HistogramOpts{Name: "docket_command_attempts",
			Help: "How often a command was decided until it was accepted or refused.", Buckets: []float64{1, 2, 3, 5, maxAttempts}}),
		conflicts: counter("docket_command_conflicts_total", "Attempts that a concurrent command on the same streams preceded."),
		stale:     counter("docket_command_stale_total", "Attempts that appended nothing and were repeated without the cache."),
		givenUp:   counter("docket_command_given_up_total", "Commands refused after the last attempt, as others kept changing the same streams."),

		foldHits:   counter("docket_fold_cache_hits_total", "Aggregates found in the cache."),
		foldMisses: counter("docket_fold_cache_misses_total", "Aggregates folded from the first event of their stream."),
	}
}
