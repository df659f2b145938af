package main

import (
	"fmt"
	"io"
	"strings"
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
	Flood            int            `json:"flood"`
	Baseline         *appendFigures `json:"baseline"`
	RatioToBaseline  float64        `json:"ratio_to_baseline"`
	P99ToBaseline    float64        `json:"p99_to_baseline"`
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

// write is for people, and for docs/performance.md: a table in Markdown.
func (r appendReport) write(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| what | writers | tenants | appends/s | p50 ms | p90 ms | p99 ms | p99.9 ms | raw, a row a commit, /s | appends to that | " +
		"raw, 100 rows a commit, rows/s | appends to that | to baseline | errors | cores: store and load, Postgres, others |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	if r.Baseline != nil {
		r.writeRow(&b, "baseline", *r.Baseline, 0)
	}
	r.writeRow(&b, r.what(), r.appendFigures, r.RatioToBaseline)
	fmt.Fprintf(&b, "\nOne event of %d bytes a Commit; raw, a row a commit, at %d connections.\n", r.EventBytes, r.RawConnections)
	if r.P99ToBaseline > 0 {
		fmt.Fprintf(&b, "\nThe p99 is %.2f times that of the baseline.\n", r.P99ToBaseline)
	}
	if r.Errors > 0 {
		fmt.Fprintf(&b, "\nFailed: %v\n", r.Failures)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r appendReport) what() string {
	what := "append"
	if r.PreloadedEvents > 0 {
		what += fmt.Sprintf(", %d events of %d tenants before", r.PreloadedEvents, r.PreloadedTenants)
	}
	if r.LongSnapshot != "" {
		what += ", long transaction in the " + r.LongSnapshot + " database"
	}
	if r.Flood > 0 {
		what += fmt.Sprintf(", %d more of one tenant", r.Flood)
	}
	return what
}

func (r appendReport) writeRow(b *strings.Builder, what string, f appendFigures, toBaseline float64) {
	known := func(format string, x float64) string {
		if x == 0 {
			return "–"
		}
		return fmt.Sprintf(format, x)
	}
	fmt.Fprintf(b, "| %s | %d | %d | %.0f | %.2f | %.2f | %.2f | %.2f | %s | %s | %s | %s | %s | %d | %.2f, %.2f, %.2f |\n",
		what, r.Writers, r.Tenants, f.OpsPerS, f.P50, f.P90, f.P99, f.P999,
		known("%.0f", f.RawSinglePerS), known("%.2f", f.RatioSingle), known("%.0f", f.RawBatchRowsPerS), known("%.2f", f.RatioBatch),
		known("%.2f", toBaseline), f.Errors, f.Cores.Client, f.Cores.Postgres, f.Cores.Others)
}
