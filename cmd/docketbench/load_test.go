package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

// always is a span that has every time of a test.
func always() span { return span{time.Now().Add(-time.Second), time.Now().Add(time.Hour)} }

// times is a step that ends the load with its nth call.
func times(n int, stop context.CancelFunc, err error) step {
	return func(context.Context) error {
		if n--; n == 0 {
			stop()
		}
		return err
	}
}

func TestClosedLoopCountsWhatEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := runLoad(ctx, always(), nil, []step{times(11, cancel, nil)})
	// The eleventh was interrupted.
	if s.Ops != 10 || s.All != 10 || s.Latencies.count() != 10 || len(s.Failures) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d operations, %d latencies, failures %v, %v", s.Ops, s.Latencies.count(), s.Failures, err)
	}
}

func TestWarmUpDoesNotCount(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	later := span{time.Now().Add(time.Hour), time.Now().Add(2 * time.Hour)}
	if s, _ := runLoad(ctx, later, nil, []step{times(11, cancel, nil)}); s.Ops != 0 || s.All != 10 || s.Latencies.count() != 0 {
		t.Errorf("%d operations counted of %d", s.Ops, s.All)
	}
}

func TestNothingBeginsAfterTheTime(t *testing.T) {
	t.Parallel()
	past := span{time.Now().Add(-2 * time.Second), time.Now().Add(-time.Second)}
	s, err := runLoad(t.Context(), past, nil, []step{func(context.Context) error {
		t.Error("a step was made")
		return nil
	}})
	if s.Ops != 0 || err != nil {
		t.Errorf("%d operations, %v", s.Ops, err)
	}
}

func TestFailuresAreCountedByKind(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	first, again := times(4, func() {}, &failure{"503", errors.New("busy")}), errors.New("else")
	n := 0
	s, _ := runLoad(ctx, always(), nil, []step{func(ctx context.Context) error {
		switch n++; {
		case n <= 3:
			return first(ctx)
		case n == 4:
			return again
		}
		cancel()
		return nil
	}})
	if s.Ops != 0 || s.Failures["503"] != 3 || s.Failures["other"] != 1 || len(s.Failures) != 2 {
		t.Errorf("%d operations, failures %v", s.Ops, s.Failures)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	if r := (sample{Elapsed: 4 * time.Second, Ops: 10}).perSecond(); r != 2.5 {
		t.Errorf("10 in 4 s are %v/s", r)
	}
}

func TestPaceDoesNotWaitForTheSlow(t *testing.T) {
	t.Parallel()
	start := time.Now().Add(-time.Minute)
	p := &pace{start: start, every: 10 * time.Millisecond}
	for i := range 3 {
		if at := p.next(t.Context()); !at.Equal(start.Add(time.Duration(i) * p.every)) {
			t.Errorf("moment %d is %s after the start", i, at.Sub(start))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	far := &pace{start: time.Now().Add(time.Hour), every: time.Hour}
	far.next(ctx) // returns
}

// The latency of an operation that a stall held up counts from when it should have begun.
func TestOpenLoopCountsTheWaiting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p := &pace{start: time.Now().Add(-time.Minute), every: time.Second}
	s, _ := runLoad(ctx, always(), p, []step{times(5, cancel, nil)})
	if most := s.Latencies.at(100); s.Ops != 4 || most < 59_000 || most > 90_000 {
		t.Errorf("%d operations, the slowest %v ms", s.Ops, most)
	}
}
