package eventstore

import (
	"context"
	"time"

	"docket/domain"
	"docket/internal/wait"
)

// recordAgain is the pause before an epoch is recorded again where that failed.
const recordAgain = 30 * time.Second

// epochRecordedSQL reads whether all tenants' logs have an epoch ($1).
const epochRecordedSQL = `select recorded_at is not null from epochs where id = $1`

// recordedEpochSQL says that all tenants' logs have an epoch ($1).
const recordedEpochSQL = `update epochs set recorded_at = clock_timestamp() where id = $1 and recorded_at is null`

// StartRecording has each epoch recorded from now on, until Stop. A server calls it after
// the subscriptions have compared their checkpoints with the logs (feed.AwaitSweeps): the
// event makes a log grow, perhaps up to a checkpoint that was ahead of it.
func (e *Epochs) StartRecording() { e.done.Go(func() { e.recordAll(e.running) }) }

// recordAll has each epoch recorded, and tries again after a pause where that fails.
func (e *Epochs) recordAll(ctx context.Context) {
	for {
		pause := epochEvery
		if known := e.Known(); !known.First() && known.ID != e.recorded {
			if err := e.recordOnce(ctx, known); err == nil {
				e.recorded = known.ID
			} else if ctx.Err() == nil {
				pause = recordAgain
				e.log.Error("the epoch isn't in all tenants' logs; trying again", "epoch", known.ID, "retry_in", pause, "error", err)
			}
		}
		if !wait.Sleep(ctx, pause) {
			return
		}
	}
}

// recordOnce has an epoch recorded, unless a process has done that already.
func (e *Epochs) recordOnce(ctx context.Context, known domain.Epoch) error {
	var done bool
	asking, cancel := context.WithTimeout(ctx, epochTimeout)
	defer cancel()
	if err := e.engine.QueryRow(asking, epochRecordedSQL, known.ID.UUID()).Scan(&done); err != nil || done {
		return err
	}
	if err := e.record(ctx, known); err != nil {
		return err
	}
	noting, cancel := context.WithTimeout(ctx, epochTimeout)
	defer cancel()
	_, err := e.engine.Exec(noting, recordedEpochSQL, known.ID.UUID())
	return err
}
