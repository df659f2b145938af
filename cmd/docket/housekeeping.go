package main

import (
	"context"
	"log/slog"
	"time"

	"docket/commands"
)

// housekeepingEvery is the pause between two rounds. Every replica makes them, and finds
// only what no other has deleted.
const housekeepingEvery = time.Hour

// housekeeping deletes expired idempotency records.
type housekeeping struct {
	stopRounds context.CancelFunc
	done       chan struct{}
}

// startHousekeeping makes a round at once and then one every housekeepingEvery.
func startHousekeeping(cmds *commands.Commands, log *slog.Logger) *housekeeping {
	ctx, cancel := context.WithCancel(context.Background())
	h := &housekeeping{stopRounds: cancel, done: make(chan struct{})}
	go func() {
		defer close(h.done)
		rounds := time.NewTicker(housekeepingEvery)
		defer rounds.Stop()
		for {
			n, err := cmds.DeleteExpiredRecords(ctx)
			if err != nil && ctx.Err() == nil {
				log.Warn("housekeeping failed; it is tried again later", "error", err)
			}
			if n > 0 {
				log.Info("deleted expired idempotency records", "records", n)
			}
			select {
			case <-rounds.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return h
}

// stop stops the rounds and waits, no longer than ctx.
func (h *housekeeping) stop(ctx context.Context) error {
	return within(ctx, poolsTimeout, "stop the housekeeping", func() error {
		h.stopRounds()
		<-h.done
		return nil
	})
}
