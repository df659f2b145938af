package main

import (
	"context"
	"sync"
	"time"
)

// window is how long a load runs.
type window struct {
	Warmup  time.Duration
	Measure time.Duration
}

// span is a window that has begun.
type span struct{ from, until time.Time }

func (w window) begin() span {
	from := time.Now().Add(w.Warmup)
	return span{from, from.Add(w.Measure)}
}

// has reports whether something that ended at t counts.
func (s span) has(t time.Time) bool { return t.After(s.from) && !t.After(s.until) }

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
// lost at one edge that isn't won at the other. The error is ctx's, where that ends
// before the time is over.
func closedLoop(ctx context.Context, s span, steps []step) (sample, error) {
	return runWorkers(ctx, s, nil, steps)
}

func runWorkers(ctx context.Context, in span, p *pace, steps []step) (sample, error) {
	workers := make([]*worker, len(steps))
	for i, s := range steps {
		workers[i] = &worker{step: s, pace: p, latencies: newLatencies(), failures: map[string]int64{}}
	}
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() { w.run(ctx, in) })
	}
	all.Wait()
	s := sample{Elapsed: in.until.Sub(in.from), Failures: map[string]int64{}, Latencies: newLatencies()}
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
	step step
	// pace says when the next operation begins; nil: when the last one is done.
	pace      *pace
	ops       int64
	latencies latencies
	failures  map[string]int64
}

func (w *worker) run(ctx context.Context, in span) {
	begin := time.Now()
	for {
		if w.pace != nil {
			begin = w.pace.next(ctx)
		}
		if !begin.Before(in.until) || ctx.Err() != nil {
			return
		}
		err := w.step(ctx)
		end := time.Now()
		switch {
		case ctx.Err() != nil: // broken off
		case err != nil:
			w.failures[kindOf(err)]++
		case in.has(end):
			w.ops++
			w.latencies.record(end.Sub(begin))
		}
		begin = end
	}
}

// addTo adds counts to counts.
func addTo(to, from map[string]int64) {
	for k, n := range from {
		to[k] += n
	}
}
