package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// appendReport is what docketbench append prints.
type appendReport struct {
	Benchmark string  `json:"benchmark"`
	Writers   int     `json:"writers"`
	Tenants   int     `json:"tenants"`
	DurationS float64 `json:"duration_s"`
	WarmupS   float64 `json:"warmup_s"`
	Rounds    int     `json:"rounds"`
	// EventBytes is the size of an event's data, in bytes of JSON.
	EventBytes int `json:"event_bytes"`
	appendFigures
	// RawConnections is at how many connections raw_single_per_s was taken.
	RawConnections int `json:"raw_connections"`
	// What was changed against Baseline, and what that made of ops_per_s.
	PreloadedEvents  int            `json:"preloaded_events"`
	PreloadedTenants int            `json:"preloaded_tenants"`
	LongSnapshot     string         `json:"long_snapshot"`
	Baseline         *appendFigures `json:"baseline"`
	RatioToBaseline  float64        `json:"ratio_to_baseline"`
	Postgres         serverFacts    `json:"postgres"`
	Machine          machineFacts   `json:"machine"`
}

// appendFigures are medians over the rounds; ratios are 0 where the raw limits
// weren't measured.
type appendFigures struct {
	OpsPerS float64 `json:"ops_per_s"`
	percentiles
	RawSinglePerS    float64          `json:"raw_single_per_s"`
	RawSingleP50     float64          `json:"raw_single_p50_ms"`
	RawSingleP99     float64          `json:"raw_single_p99_ms"`
	RawBatchRowsPerS float64          `json:"raw_batch_rows_per_s"`
	RatioSingle      float64          `json:"ratio_single"`
	RatioBatch       float64          `json:"ratio_batch"`
	Errors           int64            `json:"errors"`
	Failures         map[string]int64 `json:"failures"`
	// Cores are those of the appends' turns; the store is in the client.
	Cores cores `json:"cores"`
}

// appendRound is one turn of each kind.
type appendRound struct {
	Append, Single, Batch sample
	Cores                 cores
}

func summarize(rounds []appendRound) appendFigures {
	f := appendFigures{Failures: map[string]int64{}}
	for _, r := range rounds {
		addTo(f.Failures, r.Append.Failures)
		addTo(f.Failures, r.Single.Failures)
		addTo(f.Failures, r.Batch.Failures)
	}
	for _, n := range f.Failures {
		f.Errors += n
	}
	over := func(figure func(appendRound) float64) float64 {
		var all []float64
		for _, r := range rounds {
			all = append(all, figure(r))
		}
		return median(all)
	}
	f.OpsPerS = over(func(r appendRound) float64 { return r.Append.perSecond() })
	f.percentiles = medianPercentiles(rounds, func(r appendRound) latencies { return r.Append.Latencies })
	f.Cores = medianCores(rounds, func(r appendRound) cores { return r.Cores })
	if len(rounds) == 0 || rounds[0].Single.Ops == 0 || rounds[0].Batch.Ops == 0 {
		return f
	}
	f.RawSinglePerS = over(func(r appendRound) float64 { return r.Single.perSecond() })
	f.RawSingleP50 = over(func(r appendRound) float64 { return r.Single.Latencies.percentiles().P50 })
	f.RawSingleP99 = over(func(r appendRound) float64 { return r.Single.Latencies.percentiles().P99 })
	f.RawBatchRowsPerS = over(func(r appendRound) float64 { return r.Batch.perSecond() })
	f.RatioSingle = over(func(r appendRound) float64 { return ratio(r.Append.perSecond(), r.Single.perSecond()) })
	f.RatioBatch = over(func(r appendRound) float64 { return ratio(r.Append.perSecond(), r.Batch.perSecond()) })
	return f
}

// ratio is 0 where there is nothing to compare with.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// write is for people.
func (r appendReport) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "append\t%d writers, %d tenants, one event of %d bytes a Commit\n", r.Writers, r.Tenants, r.EventBytes)
	if r.Baseline != nil {
		fmt.Fprintf(t, "baseline\t%s\n", r.Baseline.line())
	}
	if r.PreloadedEvents > 0 {
		fmt.Fprintf(t, "preloaded\t%d events of %d tenants\n", r.PreloadedEvents, r.PreloadedTenants)
	}
	if r.LongSnapshot != "" {
		fmt.Fprintf(t, "long transaction\tin the %s database\n", r.LongSnapshot)
	}
	fmt.Fprintf(t, "appends\t%s\n", r.line())
	if r.RawSinglePerS > 0 {
		fmt.Fprintf(t, "raw, a row a commit\t%.0f/s at %d connections; p50 %.2f ms, p99 %.2f ms\n",
			r.RawSinglePerS, r.RawConnections, r.RawSingleP50, r.RawSingleP99)
		fmt.Fprintf(t, "raw, %d rows a commit\t%.0f rows/s on one connection\n", rawBatch, r.RawBatchRowsPerS)
		fmt.Fprintf(t, "appends to raw\t%.2f of a row a commit, %.2f of %d rows a commit\n", r.RatioSingle, r.RatioBatch, rawBatch)
	}
	if r.Baseline != nil {
		fmt.Fprintf(t, "appends to baseline\t%.2f\n", r.RatioToBaseline)
	}
	fmt.Fprintf(t, "cores\tstore and load %.2f, Postgres %.2f, others %.2f\n", r.Cores.Client, r.Cores.Postgres, r.Cores.Others)
	fmt.Fprintf(t, "errors\t%d %v\n", r.Errors, r.Failures)
	return t.Flush()
}

func (f appendFigures) line() string {
	return fmt.Sprintf("%.0f/s; p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f ms",
		f.OpsPerS, f.P50, f.P90, f.P99, f.P999, f.Max)
}
