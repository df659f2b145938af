package main

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

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
