package main

import (
	"math"
	"testing"
	"time"
)

// near is equality to the three figures that a histogram keeps.
func near(a, b float64) bool { return math.Abs(a-b) <= b/1000+0.001 }

func TestPercentiles(t *testing.T) {
	t.Parallel()
	a, b := newLatencies(), newLatencies()
	for i := 1; i <= 1000; i++ {
		of := a
		if i%2 == 0 {
			of = b
		}
		of.record(time.Duration(i) * time.Millisecond)
	}
	a.merge(b)
	if p := a.percentiles(); !near(p.P50, 500) || !near(p.P90, 900) || !near(p.P99, 990) || !near(p.P999, 999) || !near(p.Max, 1000) {
		t.Errorf("of 1 to 1000 ms: %+v", p)
	}
	if a.count() != 1000 {
		t.Errorf("%d counted", a.count())
	}
	if p := newLatencies().percentiles(); p != (percentiles{}) {
		t.Errorf("of nothing: %+v", p)
	}
}

func TestLatenciesOutOfRange(t *testing.T) {
	t.Parallel()
	l := newLatencies()
	l.record(0)
	l.record(-time.Second)
	l.record(time.Hour)
	if p := l.percentiles(); l.count() != 3 || !near(p.P50, 0.001) || !near(p.Max, 120_000) {
		t.Errorf("%d counted, %+v", l.count(), p)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		of   []float64
		want float64
	}{
		{nil, 0}, {[]float64{7}, 7}, {[]float64{9, 1}, 1}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 3, 2, 1}, 2},
	} {
		if got := median(tc.of); got != tc.want {
			t.Errorf("of %v: %v, want %v", tc.of, got, tc.want)
		}
	}
}

// loaded is a sample of so many operations in a second, each so long.
func loaded(ops int64, each time.Duration) sample {
	s := sample{Elapsed: time.Second, Ops: ops, Latencies: newLatencies(), Failures: map[string]int64{}}
	for range ops {
		s.Latencies.record(each)
	}
	return s
}

// A round in which the machine was busy with something else must not decide.
func TestFiguresAreMediansOfRounds(t *testing.T) {
	t.Parallel()
	busy := appendRound{Append: loaded(10, time.Second), Single: loaded(5, time.Second), Batch: loaded(100, 0)}
	busy.Append.Failures["conflict"] = 2
	f := summarize([]appendRound{
		{Append: loaded(200, 2*time.Millisecond), Single: loaded(50, time.Millisecond), Batch: loaded(1000, 0)},
		busy,
		{Append: loaded(300, 3*time.Millisecond), Single: loaded(100, time.Millisecond), Batch: loaded(1000, 0)},
	})
	if f.OpsPerS != 200 || f.RawSinglePerS != 50 || f.RawBatchRowsPerS != 1000 || f.RatioSingle != 3 || f.RatioBatch != 0.2 {
		t.Errorf("got %+v", f)
	}
	if !near(f.P99, 3) || f.Errors != 2 || f.Failures["conflict"] != 2 {
		t.Errorf("got %+v", f)
	}
	if f := summarize([]appendRound{{Append: loaded(3, 0)}}); f.RatioSingle != 0 || f.OpsPerS != 3 {
		t.Errorf("without raw limits: %+v", f)
	}
}
