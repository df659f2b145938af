package rebuild

import (
	"context"
	"time"
)

const (
	// fullSpeedWriters is how many read models of one tenant are written at the same
	// time at full speed; a throttled rebuild writes one.
	fullSpeedWriters = 2
	// pauseRatio is the length of a throttled rebuild's pause after each step, as a ratio
	// of the step's. On two cores, with one worker and an existing write-ahead log, the
	// API's p99 was 1.6 times the usual, and more where the disk was slow to flush:
	// docs/performance.md, "Beside the API".
	pauseRatio = 0.3
	// maxPause bounds a pause: a step that takes longer than three of it has mostly
	// waited, as a switch waits for the page of the live subscription.
	maxPause = time.Second
)

// limiter limits how many steps of a tenant's builders run at the same time. A step is
// a page, a switch, a comparison or a chunk of old rows, so a switch never waits for all
// of another model's old rows:
//
//	throttled:   tasks: page ─ pause ─ search: page ─ pause ─ …
//	full speed:  tasks: page ── comments: page ── …
//	             search: page ── activity: page ── …
//
// Most of a rebuild's work is done by the database, where a client can't set a priority:
// pauses are the only way to leave time for others.
type limiter struct {
	slots chan struct{}
	// pause is nil at full speed.
	pause func(context.Context, time.Duration) bool
}

// newLimiter makes the limiter of one tenant.
func (r *Rebuilder) newLimiter() *limiter {
	if r.FullSpeed {
		return &limiter{slots: make(chan struct{}, fullSpeedWriters)}
	}
	return &limiter{slots: make(chan struct{}, 1), pause: r.pause}
}

// run runs a step when there is a slot, and then pauses. The error is the step's; the
// end of ctx during a pause is left to the next step.
func (l *limiter) run(ctx context.Context, step func() error) error {
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	began := time.Now()
	err := step()
	if l.pause != nil && err == nil {
		l.pause(ctx, min(maxPause, time.Duration(pauseRatio*float64(time.Since(began)))))
	}
	return err
}
