package main

import (
	"errors"
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

// kindOf is the name under which a failed operation is counted.
func kindOf(err error) string {
	var f *failure
	if errors.As(err, &f) {
		return f.kind
	}
	return "other"
}
