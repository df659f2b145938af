package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"docket/commands"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// renamesEvery is the pause between two rounds that make postponed copies of names. Every
// replica makes them.
const renamesEvery = 5 * time.Second

// renames makes the copies of names into tenants whose logs were damaged or locked.
type renames struct {
	stopRounds context.CancelFunc
	done       chan struct{}
}

func startRenames(engine *pgxpool.Pool, cmds *commands.Commands, metrics prometheus.Registerer, log *slog.Logger) *renames {
	ctx, cancel := context.WithCancel(context.Background())
	r := &renames{stopRounds: cancel, done: make(chan struct{})}
	waiting := promauto.With(metrics).NewGauge(prometheus.GaugeOpts{Name: "docket_renames_postponed",
		Help: "Copies of users' new names that wait for another try, at this replica's last round."})
	go func() {
		defer close(r.done)
		rounds := time.NewTicker(renamesEvery)
		defer rounds.Stop()
		for {
			left, err := feed.RetryPostponed(ctx, engine, commands.Renames, commands.CopyTimeout, cmds.CarryRename)
			if ctx.Err() != nil {
				return
			}
			if left >= 0 {
				waiting.Set(float64(left))
			}
			logPostponed(log, err)
			select {
			case <-rounds.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return r
}

// logPostponed logs each of the errors that feed.RetryPostponed has joined.
func logPostponed(log *slog.Logger, err error) {
	var failure *feed.PostponedError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			logPostponed(log, err)
		}
	} else if errors.As(err, &failure) {
		log.Error("a new name isn't copied into a tenant; it is tried again", "tenant", failure.Tenant, "seq", failure.Seq,
			"attempts", failure.Attempts, "retry_in", failure.RetryIn, "error", err)
	} else if err != nil {
		log.Warn("postponed copies of names not made; trying again", "error", err)
	}
}

// stop stops the rounds and waits, no longer than ctx.
func (r *renames) stop(ctx context.Context) error {
	return within(ctx, poolsTimeout, "stop the copies of names", func() error {
		r.stopRounds()
		<-r.done
		return nil
	})
}
