package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// httpReport is what docketbench http prints.
type httpReport struct {
	Benchmark string    `json:"benchmark"`
	Tenants   int       `json:"tenants"`
	DurationS float64   `json:"duration_s"`
	WarmupS   float64   `json:"warmup_s"`
	Rounds    int       `json:"rounds"`
	RatePerS  float64   `json:"rate_per_s"` // 0: as many as were answered
	Runs      []httpRun `json:"runs"`
	// The server's memory when the tenants had been made, and at the end of the load.
	MemoryAtRest memory       `json:"memory_at_rest"`
	MemoryAfter  memory       `json:"memory_after"`
	Postgres     *serverFacts `json:"postgres"` // null: not asked
	Machine      machineFacts `json:"machine"`
}

// memory is what a process has in memory, in bytes; 0 where it can't be known.
type memory struct {
	Now int64 `json:"rss_bytes"`
	// Most counts from the process's start, of MemoryAfter from the begin of the load.
	Most int64 `json:"rss_most_bytes"`
}

// httpRun is one operation at one number of connections; its figures are medians
// over the rounds.
type httpRun struct {
	Operation    string  `json:"operation"`
	Connections  int     `json:"connections"`
	RequestsPerS float64 `json:"requests_per_s"`
	percentiles
	Errors int64 `json:"errors"`
	// Failures are counted by status, or "network".
	Failures map[string]int64 `json:"failures"`
	Cores    cores            `json:"cores"`
	// The raw limit; 0 where it wasn't measured.
	RawSinglePerS  float64 `json:"raw_single_per_s"`
	RawConnections int     `json:"raw_connections"`
	RatioSingle    float64 `json:"ratio_single"`
	// CatchUpS is how long, when the load was over, the subscriptions took to handle
	// the rest, in seconds; 0 where the database isn't asked.
	CatchUpS float64    `json:"catch_up_s"`
	Lag      *lagReport `json:"lag"` // null: not measured
	// Beside are the rebuilds that ran meanwhile; null: none.
	Beside *besideReport `json:"beside_rebuilds"`
}

// besideReport is how many rebuilds of the first tenant came to an end in a run, and
// the most memory that the last one had.
type besideReport struct {
	Finished int     `json:"finished"`
	PeakMB   float64 `json:"peak_mb"`
}

// name is the operation, and what went on beside.
func (r httpRun) name() string {
	if r.Beside == nil {
		return r.Operation
	}
	return r.Operation + ", beside a rebuild"
}

// lagReport is how long after a write was acknowledged all subscriptions had
// handled it, and each of them.
type lagReport struct {
	Writes int64 `json:"writes"`
	percentiles
	// Those of the writes of each quarter of the measured time: they tell whether
	// the lag grows.
	QuartersP50    [lagQuarters]float64   `json:"quarters_p50_ms"`
	QuartersP99    [lagQuarters]float64   `json:"quarters_p99_ms"`
	BySubscription map[string]percentiles `json:"by_subscription"`
	// Unseen weren't handled within 30 s of the end of the load.
	Unseen int64 `json:"unseen"`
}

// httpRound is one turn of the raw limit and of the requests.
type httpRound struct {
	Raw, HTTP sample
	Cores     cores
	Lag       lagFigures
	Ended     time.Time     // of the load
	CatchUp   time.Duration // until the subscriptions had handled the rest
}

func summarizeHTTP(rounds []httpRound) httpRun {
	run := httpRun{Failures: map[string]int64{}}
	for _, r := range rounds {
		addTo(run.Failures, r.HTTP.Failures)
		addTo(run.Failures, r.Raw.Failures)
	}
	for _, n := range run.Failures {
		run.Errors += n
	}
	over := func(figure func(httpRound) float64) float64 {
		var all []float64
		for _, r := range rounds {
			all = append(all, figure(r))
		}
		return median(all)
	}
	run.RequestsPerS = over(func(r httpRound) float64 { return r.HTTP.perSecond() })
	run.percentiles = medianPercentiles(rounds, func(r httpRound) latencies { return r.HTTP.Latencies })
	run.Cores = medianCores(rounds, func(r httpRound) cores { return r.Cores })
	run.CatchUpS = over(func(r httpRound) float64 { return r.CatchUp.Seconds() })
	if len(rounds) > 0 && rounds[0].Raw.Ops > 0 {
		run.RawSinglePerS = over(func(r httpRound) float64 { return r.Raw.perSecond() })
		run.RatioSingle = over(func(r httpRound) float64 { return ratio(r.HTTP.perSecond(), r.Raw.perSecond()) })
	}
	return run
}

// summarizeLag joins the rounds: a lag is rare enough that none may get lost in a median.
func summarizeLag(rounds []httpRound, subscriptions []string) *lagReport {
	all, quarters := newLatencies(), [lagQuarters]latencies{}
	r := &lagReport{BySubscription: map[string]percentiles{}}
	for i := range quarters {
		quarters[i] = newLatencies()
	}
	for _, round := range rounds {
		all.merge(round.Lag.all)
		for i := range quarters {
			quarters[i].merge(round.Lag.byQuarter[i])
		}
		r.Unseen += round.Lag.unseen
	}
	for i, name := range subscriptions {
		of := newLatencies()
		for _, round := range rounds {
			of.merge(round.Lag.bySubscription[i])
		}
		r.BySubscription[name] = of.percentiles()
	}
	for i, q := range quarters {
		p := q.percentiles()
		r.QuartersP50[i], r.QuartersP99[i] = p.P50, p.P99
	}
	r.Writes, r.percentiles = all.count(), all.percentiles()
	return r
}

// failed reports whether something went wrong.
func (r httpReport) failed() bool {
	for _, run := range r.Runs {
		if run.Errors > 0 || run.Lag != nil && run.Lag.Unseen > 0 {
			return true
		}
	}
	return false
}

// write is for people, and for docs/performance.md: tables in Markdown.
func (r httpReport) write(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| operation | connections | requests/s | p50 ms | p90 ms | p99 ms | p99.9 ms | errors | cores: client, server, Postgres, others | catch-up s | raw/s | of raw |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, run := range r.Runs {
		raw := "| – | – |"
		if run.RawSinglePerS > 0 {
			raw = fmt.Sprintf("| %.0f | %.2f |", run.RawSinglePerS, run.RatioSingle)
		}
		fmt.Fprintf(&b, "| %s | %d | %.0f | %.2f | %.2f | %.2f | %.2f | %d | %s | %.2f %s\n", run.name(), run.Connections,
			run.RequestsPerS, run.P50, run.P90, run.P99, run.P999, run.Errors, run.Cores, run.CatchUpS, raw)
	}
	for _, run := range r.Runs {
		if run.Errors > 0 {
			fmt.Fprintf(&b, "\n%s at %d connections failed: %v\n", run.Operation, run.Connections, run.Failures)
		}
	}
	r.writeLags(&b)
	for _, run := range r.Runs {
		if run.Beside != nil {
			fmt.Fprintf(&b, "\nBeside %s at %d connections %d rebuilds ended, the last with at most %.0f MB.\n", run.Operation, run.Connections,
				run.Beside.Finished, run.Beside.PeakMB)
		}
	}
	if r.MemoryAtRest.Now > 0 {
		fmt.Fprintf(&b, "\nThe server's memory: %.0f MB before the load, %.0f MB at the end, at most %.0f MB under it.\n",
			megabytes(r.MemoryAtRest.Now), megabytes(r.MemoryAfter.Now), megabytes(r.MemoryAfter.Most))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r httpReport) writeLags(b *strings.Builder) {
	begun := false
	for _, run := range r.Runs {
		if run.Lag == nil {
			continue
		}
		if !begun {
			begun = true
			b.WriteString("\n| lag after | connections | writes | p50 ms | p99 ms | p99.9 ms | max ms | p99 ms by quarter | unseen |\n|---|---|---|---|---|---|---|---|---|\n")
		}
		l, q := run.Lag, run.Lag.QuartersP99
		fmt.Fprintf(b, "| %s | %d | %d | %.1f | %.1f | %.1f | %.1f | %.1f, %.1f, %.1f, %.1f | %d |\n", run.name(), run.Connections,
			l.Writes, l.P50, l.P99, l.P999, l.Max, q[0], q[1], q[2], q[3], l.Unseen)
	}
}

// megabytes are millions of bytes.
func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }
