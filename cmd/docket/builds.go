package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"docket/projections"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// buildsBound is how long the end of what is built in the background is waited for. It
// is broken off, and gone on with by the next one.
const buildsBound = 5 * time.Second

// newBuilds makes what builds read models in the background, on the feed's connections.
func newBuilds(pool *pgxpool.Pool, metrics prometheus.Registerer, log *slog.Logger) *projections.Background {
	by := "docket serve, building in the background"
	if host, err := os.Hostname(); err == nil {
		by += ", on " + host
	}
	return projections.NewBackground(projections.BackgroundConfig{Engine: pool, By: by, Logger: log, Metrics: metrics})
}

// stopBuilds ends it and waits, no longer than ctx.
func stopBuilds(ctx context.Context, b *projections.Background) error {
	return within(ctx, buildsBound, "stop the builds in the background", func() error {
		b.Stop()
		return nil
	})
}
