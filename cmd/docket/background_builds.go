package main

import (
	"context"
	"docket/projections/rebuild"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// buildsTimeout bounds the end of a background build. It is interrupted, and the next
// server resumes it.
const buildsTimeout = 5 * time.Second

// newBackgroundBuilds builds outdated read models in the background, on the feed's
// connections.
func newBackgroundBuilds(pool *pgxpool.Pool, metrics prometheus.Registerer, log *slog.Logger) *rebuild.Background {
	by := "docket serve, building in the background"
	if host, err := os.Hostname(); err == nil {
		by += ", on " + host
	}
	b := rebuild.NewBackground(rebuild.BackgroundConfig{Engine: pool, By: by, Logger: log})
	with := promauto.With(metrics)
	with.NewCounterFunc(prometheus.CounterOpts{Name: "docket_background_builds_total",
		Help: "Read models of tenants that were built in the background and switched to."},
		func() float64 { built, _, _ := b.Counts(); return float64(built) })
	with.NewCounterFunc(prometheus.CounterOpts{Name: "docket_background_build_failures_total",
		Help: "Background builds that failed and are tried again."},
		func() float64 { _, failures, _ := b.Counts(); return float64(failures) })
	with.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_background_builds_waiting",
		Help: "Read models of tenants that wait for a background build, at the last sweep."},
		func() float64 { _, _, waiting := b.Counts(); return float64(waiting) })
	return b
}

// stopBuilds stops the builds and waits, no longer than ctx.
func stopBuilds(ctx context.Context, b *rebuild.Background) error {
	return within(ctx, buildsTimeout, "stop the background builds", func() error {
		b.Stop()
		return nil
	})
}
