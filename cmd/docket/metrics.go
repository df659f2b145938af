package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// newMetrics is a registry with the metrics of the process. The packages add theirs.
func newMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	promauto.With(r).NewGauge(prometheus.GaugeOpts{Name: "docket_build_info", Help: "Always 1; which version runs.",
		ConstLabels: prometheus.Labels{"version": version()}}).Set(1)
	return r
}

// register adds the metric of readiness.
func (r *readiness) register(to prometheus.Registerer) {
	promauto.With(to).NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_ready", Help: "Whether /readyz answers 200 (1) or 503 (0)."},
		func() float64 {
			if r.check(context.Background()) != nil {
				return 0
			}
			return 1
		})
}

// poolMetrics collects what pgx counts of each pool, at each scrape.
type poolMetrics struct {
	pools map[string]*pgxpool.Pool // by the label "pool"

	connections, limit, acquires, waits, waited, cancelled, opened *prometheus.Desc
}

// register adds the metrics of the pools.
func (p *pools) register(to prometheus.Registerer) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("docket_pool_"+name, help, append([]string{"pool"}, labels...), nil)
	}
	to.MustRegister(&poolMetrics{
		pools:       map[string]*pgxpool.Pool{"append": p.Engine, "login": p.Login, "read": p.API, "feed": p.Feed},
		connections: desc("connections", "Connections, by state.", "state"),
		limit:       desc("connections_limit", "The most connections that the pool opens."),
		acquires:    desc("acquires_total", "Connections taken from the pool."),
		waits:       desc("acquire_waits_total", "Acquires that waited because no connection was idle."),
		waited:      desc("acquire_wait_seconds_total", "Time that acquires waited because no connection was idle."),
		cancelled:   desc("acquires_cancelled_total", "Acquires that were cancelled while they waited."),
		opened:      desc("connections_opened_total", "Connections opened."),
	})
}

// Describe implements prometheus.Collector.
func (m *poolMetrics) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, to) }

// Collect implements prometheus.Collector.
func (m *poolMetrics) Collect(to chan<- prometheus.Metric) {
	for name, pool := range m.pools {
		s := pool.Stat()
		gauge := func(d *prometheus.Desc, v int32, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), append([]string{name}, labels...)...)
		}
		counter := func(d *prometheus.Desc, v float64) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, name)
		}
		gauge(m.connections, s.IdleConns(), "idle")
		gauge(m.connections, s.AcquiredConns(), "in_use")
		gauge(m.connections, s.ConstructingConns(), "opening")
		gauge(m.limit, s.MaxConns())
		counter(m.acquires, float64(s.AcquireCount()))
		counter(m.waits, float64(s.EmptyAcquireCount()))
		counter(m.waited, s.EmptyAcquireWaitTime().Seconds())
		counter(m.cancelled, float64(s.CanceledAcquireCount()))
		counter(m.opened, float64(s.NewConnsCount()))
	}
}
