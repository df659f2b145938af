package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// httpPlan is what is asked of docketbench http.
type httpPlan struct {
	Ops         []string
	Mix         string
	Connections []int
	Tenants     int
	Duration    time.Duration
	Warmup      time.Duration
	Rounds      int
	// Rate is how many requests a second begin; 0: as many as are answered.
	Rate float64
	Lag  bool
	Raw  bool
	// Rebuild is how many events the first tenant gets, whose read models are rebuilt
	// during a second turn of each run; 0: there is none.
	Rebuild int
	// URL is a running server's; empty: start one.
	URL string
	// Docket is the program to start; empty: build it.
	Docket string
	JSON   bool
}

func (p *program) httpCommand() *cobra.Command {
	var h httpPlan
	c := &cobra.Command{
		Use:   "http",
		Short: "Measure the API through a real server",
		Long: `Measure the HTTP API of a real docket serve, in a process of its own, with its
subscriptions running. It is built from this checkout (--docket names another), runs
on the private Postgres or the database of DATABASE_URL, and gets this environment's
DOCKET_ settings. --url measures a server that runs already.

Each tenant has one user, its owner, who registered and logged in, 50 projects and,
in one of them, 50 tasks. Each connection works in one tenant (connection modulo
tenants). Reads wait, as always, for what their user has written.

  create-task    POST   /v1/projects/{id}/tasks
  transition     POST   /v1/projects/{id}/transitions, to and fro
  get-project    GET    /v1/projects/{id}
  get-task       GET    /v1/tasks/{id}
  list-projects  GET    /v1/projects, a page of 50
  list-tasks     GET    /v1/projects/{id}/tasks, a page of 50
  mix            all of them, in the shares of --mix

--op and --connections take several values: every operation is measured at every
number of connections, one after the other, on one server.

Without --rate the loop is closed. With it, requests begin at that rate whether
those before are answered or not, and their latency counts from when they should
have begun.

--lag also measures how long after the acknowledgement of a write each subscription
had handled it: the checkpoints are looked at every 2 ms, over a connection of our
own (with --url, to DATABASE_URL), so lags come out up to 2 ms too long.

--raw also takes the raw limit before each round: INSERT of one row per transaction
at the same number of connections (see docketbench append).

--rebuild N gives the first tenant N events more, and measures everything twice: without,
and while docket projections rebuild makes all its read models anew, again and again. The
table tells how often that came to an end, and how much memory it took.

The client shares the machine with what it measures. The columns of cores say how
much processor time client, server and Postgres took, where the system tells.`,
		Example: `  docketbench http
  docketbench http --op create-task --connections 64 --raw --json
  docketbench http --op create-task,transition,get-project,list-projects --connections 1,16,64
  docketbench http --op create-task --rate 1000 --lag
  docketbench http --rate 300 --connections 16 --tenants 1 --lag --rebuild 1000000
  docketbench http --url http://127.0.0.1:8000 --op mix --mix get-task=90,create-task=10`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := h.check(p.environ); err != nil {
				return err
			}
			dir, err := c.Flags().GetString("dir")
			if err != nil {
				return err
			}
			return p.http(c.Context(), h, dir)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&h.Ops, "op", []string{opMix}, "which operations")
	f.StringVar(&h.Mix, "mix", defaultMix, "shares of the mix")
	f.IntSliceVar(&h.Connections, "connections", []int{64}, "how many connections")
	f.IntVar(&h.Tenants, "tenants", 10, "over how many tenants")
	f.DurationVar(&h.Duration, "duration", 10*time.Second, "measured time of each operation, all rounds together")
	f.DurationVar(&h.Warmup, "warmup", time.Second, "unmeasured time before each round")
	f.IntVar(&h.Rounds, "rounds", 1, "in how many rounds; figures are their medians")
	f.Float64Var(&h.Rate, "rate", 0, "requests a second (default: as many as are answered)")
	f.BoolVar(&h.Lag, "lag", false, "measure the subscriptions' lag too")
	f.BoolVar(&h.Raw, "raw", false, "measure the raw limit too")
	f.IntVar(&h.Rebuild, "rebuild", 0, "measure again beside rebuilds of the first tenant, with so many `events` more")
	f.StringVar(&h.URL, "url", "", "a server that runs already")
	f.StringVar(&h.Docket, "docket", "", "the program to measure (default: built from this checkout)")
	f.BoolVar(&h.JSON, "json", false, "print one JSON object")
	return c
}

func (h *httpPlan) check(environ map[string]string) error {
	for _, op := range h.Ops {
		if _, ok := operations[op]; !ok && op != opMix {
			return fmt.Errorf("--op %q is none of %s, %s", op, strings.Join(operationNames(), ", "), opMix)
		}
	}
	if _, err := parseMix(h.Mix); err != nil {
		return err
	}
	for _, n := range h.Connections {
		if n < 1 || n > maxWriters {
			return fmt.Errorf("--connections must be 1 to %d", maxWriters)
		}
	}
	switch {
	case len(h.Ops) == 0 || len(h.Connections) == 0:
		return errors.New("--op and --connections need a value")
	case h.Tenants < 1:
		return errors.New("--tenants must be at least 1")
	case h.Rounds < 1 || h.Duration/time.Duration(h.Rounds) <= 0:
		return errors.New("--rounds must be at least 1, and --duration more than nothing")
	case h.Warmup < 0 || h.Rate < 0:
		return errors.New("--warmup and --rate can't be negative")
	case h.Rebuild < 0 || h.Rebuild > 0 && h.URL != "":
		return errors.New("--rebuild can't be negative, and needs a server of our own")
	case h.URL != "" && h.Docket != "":
		return errors.New("--url and --docket exclude each other")
	case h.URL != "" && (h.Lag || h.Raw) && environ["DATABASE_URL"] == "":
		return errors.New("--lag and --raw of a running server need DATABASE_URL")
	}
	if h.URL != "" {
		if u, err := url.Parse(h.URL); err != nil || u.Scheme != "http" || u.Port() == "" {
			return fmt.Errorf("--url %q isn't like http://127.0.0.1:8000", h.URL)
		}
	}
	return nil
}

func (h *httpPlan) window() window {
	return window{Warmup: h.Warmup, Measure: h.Duration / time.Duration(h.Rounds)}
}

func (p *program) http(ctx context.Context, h httpPlan, dir string) (err error) {
	r := httpReport{
		Benchmark: "http", Machine: readMachineFacts(), Tenants: h.Tenants,
		DurationS: h.Duration.Seconds(), WarmupS: h.Warmup.Seconds(), Rounds: h.Rounds, RatePerS: h.Rate,
	}
	b := &httpBench{plan: h, log: p.note}
	defer func() { err = errors.Join(err, b.close(p.atOnce)) }()
	if h.URL == "" || h.Lag || h.Raw {
		if b.db, err = p.openDatabase(ctx, dir, slices.Max(h.Connections)+spareConnections); err != nil {
			return err
		}
		facts, err := readServerFacts(ctx, b.db)
		if err != nil {
			return err
		}
		facts.write(p.stderr)
		r.Postgres = &facts
	}
	p.note("%s", r.Machine)
	if err := b.prepare(ctx, p.environ); err != nil {
		return err
	}
	// Before that, registrations hashed passwords, which takes a lot for a moment.
	r.MemoryAtRest = b.memory()
	b.forgetPeak()
	if err := b.measure(ctx, &r); err != nil {
		return err
	}
	r.MemoryAfter = b.memory()
	if h.JSON {
		err = json.NewEncoder(p.stdout).Encode(r)
	} else {
		err = r.write(p.stdout)
	}
	if err == nil && r.failed() {
		err = errFailures
	}
	return err
}
