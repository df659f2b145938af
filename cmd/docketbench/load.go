package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/spf13/cobra"
)

// loadPlan is how long a load runs.
type loadPlan struct {
	Duration time.Duration // measured, all rounds together
	Warmup   time.Duration // not measured, before each round
	Rounds   int
}

func (l *loadPlan) flags(c *cobra.Command, rounds int, warmup time.Duration) {
	c.Flags().DurationVar(&l.Duration, "duration", 10*time.Second, "measured time, all rounds together")
	c.Flags().DurationVar(&l.Warmup, "warmup", warmup, "unmeasured time before each round")
	c.Flags().IntVar(&l.Rounds, "rounds", rounds, "number of rounds; figures are their medians")
}

func (l *loadPlan) check() error {
	if l.Rounds < 1 || l.Duration/time.Duration(l.Rounds) <= 0 || l.Warmup < 0 {
		return errors.New("--rounds must be at least 1, --duration more than 0 and --warmup not negative")
	}
	return nil
}

// begin starts the clock of one round.
func (l *loadPlan) begin() span {
	from := time.Now().Add(l.Warmup)
	return span{from, from.Add(l.Duration / time.Duration(l.Rounds))}
}

// span is the measured time of a load.
type span struct{ from, until time.Time }

// has reports whether an operation that ended at t counts.
func (s span) has(t time.Time) bool { return t.After(s.from) && !t.After(s.until) }

// step is one operation of one worker.
type step func(context.Context) error

// sample is the result of a load.
type sample struct {
	Elapsed   time.Duration
	Ops       int64            // succeeded within the measured time
	All       int64            // succeeded, warm-up included
	Failures  map[string]int64 // failed, warm-up included, by kind
	Latencies latencies
}

func newSample(elapsed time.Duration) sample {
	return sample{Elapsed: elapsed, Failures: map[string]int64{}, Latencies: newLatencies()}
}

// add adds another worker's operations.
func (s *sample) add(w sample) {
	s.Ops, s.All = s.Ops+w.Ops, s.All+w.All
	s.Latencies.merge(w.Latencies)
	for kind, n := range w.Failures {
		s.Failures[kind] += n
	}
}

// perSecond is the rate of operations.
func (s sample) perSecond() float64 { return ratio(float64(s.Ops), s.Elapsed.Seconds()) }

// figures are the rate, under a name, the latencies and the errors, which the report counts.
func (s sample) figures(rate string, r *report) []figure {
	errors := int64(0)
	for kind, n := range s.Failures {
		errors, r.failures[kind] = errors+n, r.failures[kind]+n
	}
	l := s.Latencies
	return []figure{{rate, s.perSecond(), 0}, {"p50_ms", l.at(50), 2}, {"p90_ms", l.at(90), 2}, {"p99_ms", l.at(99), 2}, {"p999_ms", l.at(99.9), 2},
		{errorsFigure, float64(errors), 0}}
}

// failure is an error with a short name, by which failures are counted.
type failure struct {
	kind string
	err  error
}

func (f *failure) Error() string { return f.kind + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// kindOf is the name under which a failed operation is counted.
func kindOf(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.kind
	}
	return "other"
}

// pace gives out the times at which operations should begin, evenly spaced.
type pace struct {
	start time.Time
	every time.Duration
	given atomic.Int64
}

// next waits for the next time and returns it. It doesn't wait for one in the past.
func (p *pace) next(ctx context.Context) time.Time {
	at := p.start.Add(time.Duration(p.given.Add(1)-1) * p.every)
	_ = pause(ctx, time.Until(at)) // the caller looks at ctx
	return at
}

// runLoad runs one worker for each step until the measured time is over. An operation
// counts if it ends within that time, whenever it began. The error is ctx's, where that
// ends first.
//
// Without a pace the loop is closed: a worker begins the next operation when the last one
// is done. With a pace it is open: operations begin at the given times, and their latency
// counts from then, so that a stall shows in every operation it held up.
func runLoad(ctx context.Context, in span, p *pace, steps []step) (sample, error) {
	workers := make([]sample, len(steps)) // one each, so that workers share nothing
	var all sync.WaitGroup
	for i, s := range steps {
		all.Go(func() { workers[i] = repeat(ctx, in, p, s) })
	}
	all.Wait()
	s := newSample(in.until.Sub(in.from))
	for _, w := range workers {
		s.add(w)
	}
	return s, ctx.Err()
}

func repeat(ctx context.Context, in span, p *pace, step step) sample {
	s, begin := newSample(0), time.Now()
	for {
		if p != nil {
			begin = p.next(ctx)
		}
		if !begin.Before(in.until) || ctx.Err() != nil {
			return s
		}
		err := step(ctx)
		end := time.Now()
		switch {
		case ctx.Err() != nil:
			return s // interrupted
		case err != nil:
			s.Failures[kindOf(err)]++
		case in.has(end):
			s.Ops++
			s.Latencies.record(end.Sub(begin))
			fallthrough
		default:
			s.All++
		}
		begin = end
	}
}

// pause waits; its error is ctx's.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// longestLatency is what longer latencies count as.
const longestLatency = 2 * time.Minute

// latencies is a histogram of how long operations took, in microseconds to three figures.
// It isn't for use from several goroutines.
type latencies struct{ h *hdrhistogram.Histogram }

func newLatencies() latencies {
	return latencies{hdrhistogram.New(1, longestLatency.Microseconds(), 3)}
}

func (l latencies) record(d time.Duration) {
	_ = l.h.RecordValue(min(max(d, time.Microsecond), longestLatency).Microseconds()) // it is in range
}

func (l latencies) count() int64 { return l.h.TotalCount() }

func (l latencies) merge(other latencies) { l.h.Merge(other.h) }

// at is a percentile in milliseconds; 0 where there was no operation.
func (l latencies) at(percent float64) float64 { return float64(l.h.ValueAtQuantile(percent)) / 1000 }
