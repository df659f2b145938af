package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"docket/projections/rebuild"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// buildsBound is how long the end of what is built in the background is waited for. It
// is broken off, and gone on with by the next one.
const buildsBound = 5 * time.Second

// newBuilds makes what builds read models in the background, on the feed's connections.
func newBuilds(pool *pgxpool.Pool, metrics prometheus.Registerer, log *slog.Logger) *rebuild.Background {
	by := "docket serve, building in the background"
	if host, err := os.Hostname(); err == nil {
		by += ", on " + host
	}
	b := rebuild.NewBackground(rebuild.BackgroundConfig{Engine: pool, By: by, Logger: log})
	with := promauto.With(metrics)
	with.NewCounterFunc(prometheus.CounterOpts{Name: "docket_background_builds_total",
		Help: "Read models of tenants built in the background, and read now."},
		func() float64 { built, _, _ := b.Counts(); return float64(built) })
	with.NewCounterFunc(prometheus.CounterOpts{Name: "docket_background_build_failures_total",
		Help: "Builds in the background that failed, and are tried again."},
		func() float64 { _, failures, _ := b.Counts(); return float64(failures) })
	with.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_background_builds_waiting",
		Help: "Read models of tenants that are to be built, at the last look."},
		func() float64 { _, _, waiting := b.Counts(); return float64(waiting) })
	return b
}

// stopBuilds ends it and waits, no longer than ctx.
func stopBuilds(ctx context.Context, b *rebuild.Background) error {
	return within(ctx, buildsBound, "stop the builds in the background", func() error {
		b.Stop()
		return nil
	})
}
