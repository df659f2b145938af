package main

import (
	"context"
	"log/slog"
	"time"

	"docket/commands"
)

// housekeepingEvery is the pause between two rounds. Every replica makes them:
// what one has deleted the next doesn't find.
const housekeepingEvery = time.Hour

// housekeeping deletes what has been kept long enough: the answers that are
// remembered under Idempotency-Keys.
type housekeeping struct {
	end  context.CancelFunc
	done chan struct{}
}

// startHousekeeping makes a round at once and then one every so often.
func startHousekeeping(cmds *commands.Commands, log *slog.Logger) *housekeeping {
	ctx, end := context.WithCancel(context.Background())
	h := &housekeeping{end: end, done: make(chan struct{})}
	go func() {
		defer close(h.done)
		rounds := time.NewTicker(housekeepingEvery)
		defer rounds.Stop()
		for {
			n, err := cmds.DeleteExpiredRecords(ctx, time.Now())
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

// stop ends it and waits, no longer than ctx.
func (h *housekeeping) stop(ctx context.Context) error {
	return within(ctx, poolsBound, "stop the housekeeping", func() error {
		h.end()
		<-h.done
		return nil
	})
}
