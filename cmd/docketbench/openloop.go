package main

import (
	"context"
	"sync/atomic"
	"time"
)

// pace gives out the moments at which operations should begin, evenly, whether
// those before are done or not.
type pace struct {
	start time.Time
	every time.Duration
	given atomic.Int64
}

// openLoop is closedLoop at a given rate: operations begin evenly spaced, and their
// latency counts from when they should have begun, so that a stall shows in all
// that it held up. The steps are how many can be under way at once.
func openLoop(ctx context.Context, s span, perSecond float64, steps []step) (sample, error) {
	p := &pace{start: time.Now(), every: time.Duration(float64(time.Second) / perSecond)}
	return runWorkers(ctx, s, p, steps)
}

// next waits for the next moment, and returns it; at once where it is past, or
// when ctx ends.
func (p *pace) next(ctx context.Context) time.Time {
	at := p.start.Add(time.Duration(p.given.Add(1)-1) * p.every)
	wait := time.Until(at)
	if wait <= 0 {
		return at
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return at
}
