package main

import (
	"math"
	"strings"
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
	for percent, want := range map[float64]float64{50: 500, 90: 900, 99: 990, 99.9: 999, 100: 1000} {
		if got := a.at(percent); !near(got, want) {
			t.Errorf("%v %% of 1 to 1000 ms: %v", percent, got)
		}
	}
	if a.count() != 1000 {
		t.Errorf("%d counted", a.count())
	}
	if got := newLatencies().at(50); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestLatenciesOutOfRange(t *testing.T) {
	t.Parallel()
	l := newLatencies()
	l.record(0)
	l.record(-time.Second)
	l.record(time.Hour)
	if l.count() != 3 || !near(l.at(50), 0.001) || !near(l.at(100), 120_000) {
		t.Errorf("%d counted, %v, %v", l.count(), l.at(50), l.at(100))
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
	r := newReport()
	round := func(s, raw sample) []figure { return append(s.figures("ops_per_s", r), ratioSingle(s, raw, r)...) }
	busy := loaded(10, time.Second)
	busy.Failures["conflict"] = 2
	line := row{figures: medians([][]figure{
		round(loaded(200, 2*time.Millisecond), loaded(50, time.Millisecond)),
		round(busy, loaded(5, time.Second)),
		round(loaded(300, 3*time.Millisecond), loaded(100, time.Millisecond)),
	})}
	if line.value("ops_per_s") != 200 || line.value("raw_single_per_s") != 50 || line.value("ratio_single") != 3 {
		t.Errorf("got %+v", line)
	}
	if !near(line.value("p99_ms"), 3) || line.value(errorsFigure) != 2 || r.failures["conflict"] != 2 {
		t.Errorf("got %+v, %v", line, r.failures)
	}
	if line := (row{figures: round(loaded(3, 0), sample{})}); line.value("ratio_single") != 0 || line.value("ops_per_s") != 3 {
		t.Errorf("without raw INSERTs: %+v", line)
	}
}

// A table has all columns of its rows, and a dash where a row has no such figure.
func TestTable(t *testing.T) {
	t.Parallel()
	r := newReport()
	r.add("http", "a", figure{"p50_ms", 1.234, 2}, figure{errorsFigure, 0, 0})
	r.add("http", "b", figure{"p50_ms", 2, 2}, figure{"ratio", 0.5, 1})
	var b strings.Builder
	if err := r.markdown(&b); err != nil {
		t.Fatal(err)
	}
	const want = "| http | p50 ms | errors | ratio |\n|---|---:|---:|---:|\n| a | 1.23 | 0 | – |\n| b | 2.00 | – | 0.5 |\n\n"
	if b.String() != want {
		t.Errorf("got %q", b.String())
	}
}
