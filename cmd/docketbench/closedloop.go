package main

import (
	"context"
	"maps"
	"sync"
	"time"
)

// window is how long a load runs.
type window struct {
	Warmup  time.Duration
	Measure time.Duration
}

// step is one operation of one worker.
type step func(context.Context) error

// sample is what a load came to in its measured time.
type sample struct {
	Elapsed time.Duration
	Ops     int64
	// Failures are the operations that failed, warm-up included, by kind.
	Failures  map[string]int64
	Latencies latencies
}

// failure is an error with a short name by which like ones are counted.
type failure struct {
	kind string
	err  error
}

func (f *failure) Error() string { return f.kind + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// closedLoop runs one worker for each step, which does it again as soon as it is
// done. What ends within the measured time counts, whenever it began: so nothing is
// lost at one edge that isn't won at the other.
// The error is ctx's, where that ends before the time is over.
func closedLoop(ctx context.Context, w window, steps []step) (sample, error) {
	workers := make([]*worker, len(steps))
	for i, s := range steps {
		workers[i] = &worker{step: s, latencies: newLatencies(), failures: map[string]int64{}}
	}
	from := time.Now().Add(w.Warmup)
	until := from.Add(w.Measure)
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() { w.run(ctx, from, until) })
	}
	all.Wait()
	s := sample{Elapsed: w.Measure, Failures: map[string]int64{}, Latencies: newLatencies()}
	for _, w := range workers {
		s.Ops += w.ops
		s.Latencies.merge(w.latencies)
		addTo(s.Failures, w.failures)
	}
	return s, ctx.Err()
}

// perSecond is the rate of operations.
func (s sample) perSecond() float64 { return float64(s.Ops) / s.Elapsed.Seconds() }

// worker repeats one step and keeps its own count, so that workers share nothing.
type worker struct {
	step      step
	ops       int64
	latencies latencies
	failures  map[string]int64
}

func (w *worker) run(ctx context.Context, from, until time.Time) {
	begin := time.Now()
	for begin.Before(until) && ctx.Err() == nil {
		err := w.step(ctx)
		end := time.Now()
		switch {
		case ctx.Err() != nil: // broken off
		case err != nil:
			w.failures[kindOf(err)]++
		case end.After(from) && !end.After(until):
			w.ops++
			w.latencies.record(end.Sub(begin))
		}
		begin = end
	}
}

// addTo adds counts to counts.
func addTo(to, from map[string]int64) {
	for k, n := range maps.All(from) {
		to[k] += n
	}
}
