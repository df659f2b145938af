package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// httpPlan is the plan of docketbench http.
type httpPlan struct {
	Ops         []string
	Connections []int
	Tenants     int
	loadPlan
	Rate           float64 // requests a second; 0: a closed loop
	Half           bool    // measure the lag at half of the rate of the closed loop
	Lag, Raw       bool
	Rebuild        int    // how many events the first tenant gets, to be rebuilt during a second run
	Docket, Before string // programs; Before may be empty
}

func (p *program) httpCommand() *cobra.Command {
	var h httpPlan
	c := command("http", "Measure the API through a real server",
		`A docket serve runs in a process of its own, with its subscriptions. Each connection works
in one tenant (connection modulo tenants), as its owner; a tenant has 50 projects and, in
one of them, 50 tasks. Operations are `+strings.Join(operationNames(), ", ")+`
and mix, of which 80 percent are reads. Lists are pages of 50. A bulk-create makes 100 tasks; with create-task
before it, tasks per second are compared.

postgres_ms is the processor time of all processes of the private Postgres per request,
until the subscriptions have caught up; transactions are those committed per request.
Take both without --lag, which reads the checkpoints every 2 ms. Lag is the time from the
acknowledgement of a write until a subscription has handled it.`,
		`  docketbench http --op create-task --connections 64 --raw --half --rounds 3 --duration 30s
  docketbench http --op create-task,get-task --before OLD/docket --rounds 5 --duration 25s
  docketbench http --rate 200 --connections 8 --tenants 1 --lag --rebuild 1000000`,
		func(ctx context.Context) error {
			if err := h.check(); err != nil {
				return err
			}
			return p.http(ctx, h)
		})
	f := c.Flags()
	f.StringSliceVar(&h.Ops, "op", []string{opMix}, "operations")
	f.IntSliceVar(&h.Connections, "connections", []int{64}, "number of connections")
	f.IntVar(&h.Tenants, "tenants", 10, "number of tenants")
	h.flags(c, 1, time.Second)
	f.Float64Var(&h.Rate, "rate", 0, "requests a second, in an open loop; latency counts from when they should begin (default: a closed loop)")
	f.BoolVar(&h.Half, "half", false, "measure again, with the lag, in an open loop at half of the closed loop's rate")
	f.BoolVar(&h.Lag, "lag", false, "measure the lag of the subscriptions")
	f.BoolVar(&h.Raw, "raw", false, "measure INSERT of one row per transaction on as many connections too, and the ratio to it")
	f.IntVar(&h.Rebuild, "rebuild", 0, "give the first tenant so many `events` more, and measure again while its read models are rebuilt")
	f.StringVar(&h.Docket, "docket", "", "the docket to measure (default: built from this checkout)")
	f.StringVar(&h.Before, "before", "", "an older docket to measure in turns with this one, and to compare with")
	return c
}

func (h *httpPlan) check() error {
	for _, op := range h.Ops {
		if _, ok := operations[op]; !ok && op != opMix {
			return fmt.Errorf("--op %q is none of %s, %s", op, strings.Join(operationNames(), ", "), opMix)
		}
	}
	for _, n := range h.Connections {
		if err := inRange("connections", n, 1, maxWriters); err != nil {
			return err
		}
	}
	if h.Rate < 0 || h.Rebuild < 0 {
		return errors.New("--rate and --rebuild can't be negative")
	}
	if h.Half && (h.Rate > 0 || h.Rebuild > 0) {
		return errors.New("--half excludes --rate and --rebuild")
	}
	return errors.Join(inRange("tenants", h.Tenants, 1, 1000), h.loadPlan.check())
}

// load is one operation at one number of connections.
type load struct {
	what, op string
	conns    int
	rate     float64 // 0: a closed loop
	lag      bool
}

// http measures the operations one after the other on one server or, to compare, on two,
// each with a Postgres of its own.
func (p *program) http(ctx context.Context, h httpPlan) (err error) {
	r, paths := newReport(), []string{h.Docket}
	if h.Before != "" {
		paths = append(paths, h.Before)
	}
	var benches []*httpBench
	for _, path := range paths {
		b := &httpBench{program: p, plan: h, report: r}
		defer func() { err = errors.Join(err, b.close(p.cutOff)) }()
		if err := b.prepare(ctx, path); err != nil {
			return err
		}
		benches = append(benches, b)
	}
	for _, op := range h.Ops {
		for _, n := range h.Connections {
			l := load{what: fmt.Sprintf("%s, %d connections", op, n), op: op, conns: n, rate: h.Rate, lag: h.Lag}
			if err := p.measure(ctx, benches, l); err != nil {
				return err
			}
		}
	}
	for _, n := range h.Connections {
		single, bulk := r.rate("create-task", n), bulkItems*r.rate(opBulk, n)
		if single > 0 && bulk > 0 {
			r.add("bulk", fmt.Sprintf("%d connections", n), figure{"single_tasks_per_s", single, 0}, figure{"bulk_tasks_per_s", bulk, 0}, figure{"ratio", ratio(bulk, single), 2})
		}
	}
	return p.print(r)
}

// measure measures a load on all servers in turns and, where that is planned, on the
// first one at half of its rate or beside rebuilds.
func (p *program) measure(ctx context.Context, benches []*httpBench, l load) error {
	first := benches[0]
	alone, err := p.rounds(ctx, benches, l)
	if err != nil {
		return err
	}
	if first.plan.Half {
		l.what, l.rate, l.lag = l.what+", at half of that rate", alone.value("requests_per_s")/2, true
		_, err := p.rounds(ctx, benches[:1], l)
		return err
	}
	if first.plan.Rebuild == 0 {
		return nil
	}
	l.what += ", beside rebuilds"
	var beside row
	finished, peakMB, err := first.besideRebuilds(ctx, func() (err error) {
		beside, err = p.rounds(ctx, benches[:1], l)
		return err
	})
	if err != nil {
		return err
	}
	first.report.add("rebuilds", l.what, figure{"p99_ms_alone", alone.value("p99_ms"), 1}, figure{"p99_ms_beside", beside.value("p99_ms"), 1},
		figure{"ratio", ratio(beside.value("p99_ms"), alone.value("p99_ms")), 2}, figure{"finished", float64(finished), 0}, figure{"peak_mb", peakMB, 0})
	return nil
}

// rounds reports the medians of all rounds, and with two servers their ratios. The lags of
// all rounds count: a long one is too rare for a median. It returns the first server's row.
func (p *program) rounds(ctx context.Context, benches []*httpBench, l load) (row, error) {
	rounds, ratios := make([][][]figure, len(benches)), [][]figure(nil)
	lags := make([]*lagWatch, len(benches))
	for i, b := range benches {
		lags[i] = newLagWatch(b.checkpoints)
	}
	for range benches[0].plan.Rounds {
		for i, b := range benches {
			figures, err := b.round(ctx, l, lags[i])
			if err != nil {
				return row{}, err
			}
			p.note("%s: %.0f requests/s", l.what, figures[0].value)
			rounds[i] = append(rounds[i], figures)
		}
		if len(benches) > 1 {
			ratios = append(ratios, divide(rounds[0][len(ratios)], rounds[1][len(ratios)]))
		}
	}
	r := benches[0].report
	first := row{l.what, medians(rounds[0])}
	r.add("http", first.what, first.figures...)
	if len(benches) > 1 {
		r.add("http", l.what+", before", medians(rounds[1])...)
		r.add("http", l.what+", ratio to before", medians(ratios)...)
	}
	for i, lag := range lags {
		if l.lag {
			lag.addTo(r, l.what+[]string{"", ", before"}[i])
		}
	}
	return first, nil
}

// divide divides figures by those of the same place.
func divide(a, b []figure) []figure {
	var out []figure
	for i, f := range a {
		out = append(out, figure{f.name, ratio(f.value, b[i].value), 2})
	}
	return out
}
