package main

import (
	"errors"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What a latency histogram can tell apart: microseconds, up to two minutes (what
// is longer counts as that), to three figures.
const (
	longestLatency   = 2 * time.Minute
	latencyPrecision = 3
)

// latencies is a histogram of how long operations took. It isn't for use from
// several goroutines.
type latencies struct{ h *hdrhistogram.Histogram }

func newLatencies() latencies {
	return latencies{hdrhistogram.New(1, longestLatency.Microseconds(), latencyPrecision)}
}

func (l latencies) record(d time.Duration) {
	// It can only fail for what is out of range.
	_ = l.h.RecordValue(min(max(d, time.Microsecond), longestLatency).Microseconds())
}

func (l latencies) count() int64 { return l.h.TotalCount() }

func (l latencies) merge(other latencies) { l.h.Merge(other.h) }

// percentiles are latencies in milliseconds: half of the operations took at most
// P50, and so on. All are 0 where there was no operation.
type percentiles struct {
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p999_ms"`
	Max  float64 `json:"max_ms"`
}

func (l latencies) percentiles() percentiles {
	at := func(q float64) float64 { return float64(l.h.ValueAtQuantile(q)) / 1000 }
	return percentiles{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(l.h.Max()) / 1000}
}

// medianPercentiles are the medians of the rounds' own percentiles, so that a round
// in which something else went on doesn't decide the rare ones.
func medianPercentiles[R any](rounds []R, of func(R) latencies) percentiles {
	var p50, p90, p99, p999, most []float64
	for _, r := range rounds {
		p := of(r).percentiles()
		p50, p90, p99 = append(p50, p.P50), append(p90, p.P90), append(p99, p.P99)
		p999, most = append(p999, p.P999), append(most, p.Max)
	}
	return percentiles{P50: median(p50), P90: median(p90), P99: median(p99), P999: median(p999), Max: median(most)}
}

// median is the middle one, of an even number the lower of the two; of none it is 0.
func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(all))[(len(all)-1)/2]
}

// kindOf is the name under which a failed operation is counted.
func kindOf(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.kind
	}
	return "other"
}
