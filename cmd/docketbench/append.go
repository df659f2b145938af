package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"docket/eventstore"

	"github.com/spf13/cobra"
)

// appendPlan is what is asked of docketbench append.
type appendPlan struct {
	Writers  int
	Tenants  int
	Duration time.Duration
	Warmup   time.Duration
	Rounds   int
	Raw      bool
	// Preload is how many events to fill the store with, over so many tenants.
	PreloadEvents  int
	PreloadTenants int
	// Snapshot is where a long transaction is held open; empty: nowhere.
	Snapshot string
	// Flood is how many more writers, all of one more tenant, append at the same time.
	Flood int
	// Baseline: measure first without what was preloaded, the snapshot and the flood.
	Baseline bool
	JSON     bool
}

// Where a long transaction may be held open.
const (
	snapshotSame  = "same"
	snapshotOther = "other"
)

func (p *program) appendCommand() *cobra.Command {
	var a appendPlan
	c := &cobra.Command{
		Use:   "append",
		Short: "Measure the event store against bare INSERTs",
		Long: `Measure how many one-event Commits the event store takes, through the pools that
docket serve makes, and in the same run what Postgres itself takes:

  raw single   INSERT of one same-sized row per transaction, prepared, a connection
               per writer (fewer where the server hasn't as many; the report says so)
  raw batch    the same rows, 100 per INSERT and transaction, on one connection

into a table with the columns and keys of the log and nothing else. The three take
turns, --rounds times; each turn has its own warm-up. Figures are medians of the
rounds, ratios those of the rounds' own ratios.

Each writer is a member of a tenant (writer modulo tenants) and works at tasks of
its own: a Commit begins a task or changes it, is guarded by the writer's
membership, and the next one follows when it is acknowledged.

--preload-events, --long-snapshot and --flood change what is measured. They are
measured after the same rounds without, unless --baseline=false; ratio_to_baseline
and p99_to_baseline compare. The appends of the flood aren't counted: it is there to
be felt by the others, or not.`,
		Example: `  docketbench append
  docketbench append --writers 256 --duration 30s --json
  docketbench append --preload-events 5000000 --preload-tenants 10000
  docketbench append --long-snapshot same --duration 60s
  docketbench append --writers 9 --tenants 9 --flood 256`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.check(); err != nil {
				return err
			}
			dir, err := c.Flags().GetString("dir")
			if err != nil {
				return err
			}
			return p.append(c.Context(), a, dir)
		},
	}
	f := c.Flags()
	f.IntVar(&a.Writers, "writers", 64, "how many append at once")
	f.IntVar(&a.Tenants, "tenants", 10, "over how many tenants")
	f.DurationVar(&a.Duration, "duration", 10*time.Second, "measured time of each kind, all rounds together")
	f.DurationVar(&a.Warmup, "warmup", 500*time.Millisecond, "unmeasured time before each turn")
	f.IntVar(&a.Rounds, "rounds", 5, "how often the kinds take turns")
	f.BoolVar(&a.Raw, "raw", true, "measure the raw limits too")
	f.IntVar(&a.PreloadEvents, "preload-events", 0, "fill the store with so many events first")
	f.IntVar(&a.PreloadTenants, "preload-tenants", 10_000, "over how many tenants")
	f.StringVar(&a.Snapshot, "long-snapshot", "", "hold a REPEATABLE READ transaction open: same (database) or other")
	f.IntVar(&a.Flood, "flood", 0, "so many more writers of one more tenant")
	f.BoolVar(&a.Baseline, "baseline", true, "with one of those three: measure without it first")
	f.BoolVar(&a.JSON, "json", false, "print one JSON object")
	return c
}

func (a *appendPlan) check() error {
	switch {
	case a.Writers < 1 || a.Writers > maxWriters:
		return fmt.Errorf("--writers must be 1 to %d", maxWriters)
	case a.Flood < 0 || a.Flood > maxWriters:
		return fmt.Errorf("--flood must be 0 to %d", maxWriters)
	case a.Tenants < 1:
		return errors.New("--tenants must be at least 1")
	case a.Rounds < 1 || a.Duration/time.Duration(a.Rounds) <= 0:
		return errors.New("--rounds must be at least 1, and --duration more than nothing")
	case a.Warmup < 0:
		return errors.New("--warmup can't be negative")
	case a.PreloadEvents < 0 || a.PreloadTenants < 1:
		return errors.New("--preload-events can't be negative, and --preload-tenants must be at least 1")
	case a.PreloadEvents > 0 && a.PreloadEvents < a.PreloadTenants:
		return fmt.Errorf("--preload-events %d are fewer than --preload-tenants %d", a.PreloadEvents, a.PreloadTenants)
	case a.PreloadEvents > 0 && a.PreloadTenants < a.Tenants:
		return fmt.Errorf("--preload-tenants %d are fewer than --tenants %d", a.PreloadTenants, a.Tenants)
	case a.Snapshot != "" && a.Snapshot != snapshotSame && a.Snapshot != snapshotOther:
		return fmt.Errorf("--long-snapshot must be %s or %s", snapshotSame, snapshotOther)
	}
	return nil
}

// maxWriters bounds the connections that the raw limits want.
const maxWriters = 1000

// window of one turn.
func (a *appendPlan) window() window {
	return window{Warmup: a.Warmup, Measure: a.Duration / time.Duration(a.Rounds)}
}

func (p *program) append(ctx context.Context, a appendPlan, dir string) (err error) {
	r := appendReport{Benchmark: "append", Machine: readMachineFacts()}
	d, err := p.openDatabase(ctx, dir, a.Writers+spareConnections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(p.atOnce)) }()
	b, err := newAppendBench(ctx, d, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close(context.WithoutCancel(ctx))) }()
	r.Postgres = b.facts
	p.note("%s", r.Machine)
	r.Postgres.write(p.stderr)
	if err := p.measureAppends(ctx, b, &r); err != nil {
		return err
	}
	if a.JSON {
		err = json.NewEncoder(p.stdout).Encode(r)
	} else {
		err = r.write(p.stdout)
	}
	if err == nil && r.Errors > 0 {
		err = errFailures
	}
	return err
}

// measureAppends goes through the phases of a run.
func (p *program) measureAppends(ctx context.Context, b *appendBench, r *appendReport) error {
	a := b.plan
	r.Writers, r.Tenants, r.Rounds = a.Writers, a.Tenants, a.Rounds
	r.DurationS, r.WarmupS, r.LongSnapshot = a.Duration.Seconds(), a.Warmup.Seconds(), a.Snapshot
	r.RawConnections, r.EventBytes = b.raw.conns, b.raw.eventBytes()
	changed := a.PreloadEvents > 0 || a.Snapshot != "" || a.Flood > 0
	if changed && a.Baseline {
		p.note("baseline:")
		m, err := p.appendRounds(ctx, b)
		if err != nil {
			return err
		}
		r.Baseline = &m
	}
	if a.PreloadEvents > 0 {
		begin := time.Now()
		n, err := b.preload(ctx, a.PreloadEvents, a.PreloadTenants)
		if err != nil {
			return err
		}
		r.PreloadedEvents, r.PreloadedTenants = n, a.PreloadTenants
		p.note("preloaded %d events of %d tenants in %.0f s", n, a.PreloadTenants, time.Since(begin).Seconds())
	}
	if a.Snapshot != "" {
		s, err := holdSnapshot(ctx, b.db, a.Snapshot)
		if err != nil {
			return err
		}
		defer s.release(context.WithoutCancel(ctx))
		p.note("a REPEATABLE READ transaction is open in the %s database", a.Snapshot)
	}
	b.flooding, r.Flood = a.Flood > 0, a.Flood
	m, err := p.appendRounds(ctx, b)
	if err != nil {
		return err
	}
	r.appendFigures = m
	if r.Baseline != nil {
		r.P99ToBaseline = ratio(m.P99, r.Baseline.P99)
		r.Errors += r.Baseline.Errors
		if r.Baseline.OpsPerS > 0 {
			r.RatioToBaseline = m.OpsPerS / r.Baseline.OpsPerS
		}
	}
	return nil
}

// appendRounds lets the kinds take turns.
func (p *program) appendRounds(ctx context.Context, b *appendBench) (appendFigures, error) {
	var rounds []appendRound
	for i := range b.plan.Rounds {
		var (
			r   appendRound
			err error
		)
		if b.plan.Raw {
			if r.Single, err = b.raw.single(ctx, b.plan.window()); err != nil {
				return appendFigures{}, err
			}
			if r.Batch, err = b.raw.batch(ctx, b.plan.window()); err != nil {
				return appendFigures{}, err
			}
		}
		cpu := watchCPU(0, b.db.pid())
		if r.Append, err = b.appends(ctx); err != nil {
			return appendFigures{}, err
		}
		r.Cores = cpu.cores()
		rounds = append(rounds, r)
		p.note("round %d: append %.0f/s, raw single %.0f/s, raw batch %.0f rows/s", i+1,
			r.Append.perSecond(), r.Single.perSecond(), r.Batch.perSecond())
	}
	return summarize(rounds), nil
}

// appendBench is what the turns of one run share.
type appendBench struct {
	plan    appendPlan
	db      *database
	facts   serverFacts
	pools   *storePools
	store   *eventstore.Store
	writers []*writer
	raw     *rawLog
	// flood is the writers of one tenant, who append only while flooding.
	flood    []*writer
	flooding bool
}

func newAppendBench(ctx context.Context, d *database, a appendPlan) (_ *appendBench, err error) {
	b := &appendBench{plan: a, db: d}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close(context.WithoutCancel(ctx)))
		}
	}()
	if b.pools, err = d.openStorePools(ctx); err != nil {
		return nil, err
	}
	// Without a feed: the subscriptions are another benchmark's.
	b.store = eventstore.New(b.pools.engine, b.pools.api, nil)
	if b.writers, err = newWriters(ctx, b.store, a.Writers, newTenants(a.Tenants)); err != nil {
		return nil, err
	}
	if b.flood, err = newWriters(ctx, b.store, a.Flood, newTenants(1)); err != nil {
		return nil, err
	}
	if b.facts, err = readServerFacts(ctx, d); err != nil {
		return nil, err
	}
	if b.raw, err = newRawLog(ctx, d, a.Tenants, b.facts.connsFor(a.Writers)); err != nil {
		return nil, err
	}
	return b, nil
}

// appends is one turn of the writers, with the flood beside them where it is on.
func (b *appendBench) appends(ctx context.Context) (sample, error) {
	in := b.plan.window().begin()
	var beside sync.WaitGroup
	if b.flooding {
		beside.Go(func() { _, _ = closedLoop(ctx, in, steps(b.flood)) }) // its end is the writers' too
	}
	s, err := closedLoop(ctx, in, steps(b.writers))
	beside.Wait()
	return s, err
}

func steps(writers []*writer) []step {
	steps := make([]step, len(writers))
	for i, w := range writers {
		steps[i] = w.commit
	}
	return steps
}

func (b *appendBench) close(ctx context.Context) error {
	var err error
	if b.raw != nil {
		err = b.raw.drop(ctx)
	}
	if b.pools != nil {
		b.pools.close()
	}
	return err
}
