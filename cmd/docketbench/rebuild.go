package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/postgres"
	"docket/projections"
	"docket/projections/rebuild"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// rebuildPlan is what is asked of docketbench rebuild.
type rebuildPlan struct {
	Events     int
	Tenants    int
	Projection string
	Workers    int
	Rounds     int
	// GiveWay: not at full speed.
	GiveWay bool
	// CatchUp: let the live subscriptions go through the logs first.
	CatchUp bool
	JSON    bool
}

func (p *program) rebuildCommand() *cobra.Command {
	var r rebuildPlan
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Measure rebuilds of read models against merely reading the events",
		Long: `Measure how many events a second a rebuild of read models takes, as docket projections
rebuild --full-speed does it, or, with --give-way, as it does without: of one read
model, or, where none is named, of all of them with the activity log in one pass. In
the same run, in turns, the same events are merely read
through pgx, into the Go types of their columns and nothing else.

The log is filled first: projects in five events, tasks in five events of which 75
are in work at a time, and comments. Each round of rebuilding builds the next
generation, moves the pointer and deletes the one before. Figures are medians of the
rounds, peak_mb is the most memory that this program had meanwhile.`,
		Example: `  docketbench rebuild
  docketbench rebuild --projection tasks --json
  docketbench rebuild --events 5000000 --tenants 1`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := r.check(); err != nil {
				return err
			}
			dir, err := c.Flags().GetString("dir")
			if err != nil {
				return err
			}
			return p.rebuild(c.Context(), r, dir)
		},
	}
	f := c.Flags()
	f.IntVar(&r.Events, "events", 1_000_000, "how many events")
	f.IntVar(&r.Tenants, "tenants", 100, "of how many tenants")
	f.StringVar(&r.Projection, "projection", "", "one read `model` (default: all, in one pass)")
	f.IntVar(&r.Workers, "workers", 2, "how many tenants are rebuilt at a time")
	f.IntVar(&r.Rounds, "rounds", 3, "how often")
	f.BoolVar(&r.GiveWay, "give-way", false, "rebuild as beside an API that is used, not at full speed")
	f.BoolVar(&r.CatchUp, "catch-up", false, "measure first how fast the live subscriptions of one replica go through the same events")
	f.BoolVar(&r.JSON, "json", false, "print one JSON object")
	return c
}

func (r *rebuildPlan) check() error {
	switch {
	case r.Tenants < 1 || r.Events < r.Tenants:
		return errors.New("--tenants must be at least 1, and --events at least as many")
	case r.Workers < 1 || r.Workers > rebuild.MaxWorkers:
		return fmt.Errorf("--workers must be 1 to %d", rebuild.MaxWorkers)
	case r.Rounds < 1:
		return errors.New("--rounds must be at least 1")
	case r.Projection != "" && !slices.Contains(projections.Models(), r.Projection):
		return fmt.Errorf("--projection: %w", &rebuild.UnknownModelError{Name: r.Projection})
	}
	return nil
}

// rebuildReport is what docketbench rebuild prints.
type rebuildReport struct {
	Benchmark  string `json:"benchmark"`
	Events     int64  `json:"events"`
	Tenants    int    `json:"tenants"`
	Projection string `json:"projection"`
	Workers    int    `json:"workers"`
	GiveWay    bool   `json:"give_way"`
	Rounds     int    `json:"rounds"`
	// EventsPerS counts each event of the logs once, however many models fold it.
	EventsPerS float64 `json:"events_per_s"`
	// ReadEventsPerS is what merely reading them comes to, by as many connections as
	// workers, and RatioRead EventsPerS to that.
	ReadEventsPerS float64 `json:"read_events_per_s"`
	RatioRead      float64 `json:"ratio_read"`
	// CatchUpEventsPerS is what the live subscriptions come to, all of them together; 0
	// where that wasn't measured.
	CatchUpEventsPerS float64      `json:"catch_up_events_per_s"`
	Rows              int64        `json:"rows"`
	RowsPerS          float64      `json:"rows_per_s"`
	PeakMB            float64      `json:"peak_mb"`
	Cores             cores        `json:"cores"`
	Postgres          serverFacts  `json:"postgres"`
	Machine           machineFacts `json:"machine"`
}

// rebuildRound is one turn of each kind.
type rebuildRound struct {
	rebuilt, read time.Duration
	cores         cores
	peak          int64
}

func (p *program) rebuild(ctx context.Context, plan rebuildPlan, dir string) (err error) {
	d, err := p.openDatabase(ctx, dir, plan.Workers*rebuild.ConnsPerWorker+spareConnections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(p.atOnce)) }()
	pool, err := postgres.Pool(ctx, d.Engine, postgres.PoolConfig{
		Role: postgres.EngineRole, MaxConns: int32(plan.Workers*rebuild.ConnsPerWorker + 1), AppName: "docketbench",
	})
	if err != nil {
		return err
	}
	defer pool.Close()
	r := rebuildReport{Benchmark: "rebuild", Tenants: plan.Tenants, Projection: plan.Projection, Workers: plan.Workers, GiveWay: plan.GiveWay,
		Rounds: plan.Rounds, Machine: readMachineFacts()}
	if r.Postgres, err = readServerFacts(ctx, d); err != nil {
		return err
	}
	p.note("%s", r.Machine)
	r.Postgres.write(p.stderr)
	begin := time.Now()
	tenants := newTenants(plan.Tenants)
	c, err := newCorpus()
	if err != nil {
		return err
	}
	each := int64((plan.Events + plan.Tenants - 1) / plan.Tenants)
	if err := c.fill(ctx, d, tenants, each); err != nil {
		return err
	}
	if err := d.tidy(ctx); err != nil {
		return err
	}
	r.Events = each * int64(plan.Tenants)
	p.note("%d events of %d tenants written in %.0f s", r.Events, plan.Tenants, time.Since(begin).Seconds())
	if plan.CatchUp {
		cpu := watchCPU(0, d.pid())
		took, err := catchUp(ctx, d, tenants, each)
		if err != nil {
			return err
		}
		used := cpu.cores()
		r.CatchUpEventsPerS = float64(r.Events) / took.Seconds()
		p.note("the live subscriptions went through all in %s, %.0f events/s; an event took %.1f us of processor time here and %.1f us in Postgres",
			took.Round(time.Millisecond), r.CatchUpEventsPerS,
			1e6*used.Client*took.Seconds()/float64(r.Events), 1e6*used.Postgres*took.Seconds()/float64(r.Events))
	}
	var rounds []rebuildRound
	for i := range plan.Rounds {
		round, err := p.rebuildRound(ctx, d, pool, plan, tenants, each)
		if err != nil {
			return err
		}
		rounds = append(rounds, round)
		p.note("round %d: rebuilt in %s, read in %s, %.0f MB; an event took %.1f us of processor time here and %.1f us in Postgres", i+1,
			round.rebuilt.Round(time.Millisecond), round.read.Round(time.Millisecond), float64(round.peak)/(1<<20),
			1e6*round.cores.Client*round.rebuilt.Seconds()/float64(r.Events), 1e6*round.cores.Postgres*round.rebuilt.Seconds()/float64(r.Events))
	}
	if r.Rows, err = countRows(ctx, pool, plan.Projection, tenants); err != nil {
		return err
	}
	r.summarize(rounds)
	if plan.JSON {
		return json.NewEncoder(p.stdout).Encode(r)
	}
	return r.write(p.stdout)
}

func (r *rebuildReport) summarize(rounds []rebuildRound) {
	over := func(of func(rebuildRound) float64) float64 {
		var all []float64
		for _, round := range rounds {
			all = append(all, of(round))
		}
		return median(all)
	}
	r.EventsPerS = over(func(x rebuildRound) float64 { return float64(r.Events) / x.rebuilt.Seconds() })
	r.ReadEventsPerS = over(func(x rebuildRound) float64 { return float64(r.Events) / x.read.Seconds() })
	r.RatioRead = over(func(x rebuildRound) float64 { return x.read.Seconds() / x.rebuilt.Seconds() })
	r.RowsPerS = over(func(x rebuildRound) float64 { return float64(r.Rows) / x.rebuilt.Seconds() })
	r.Cores = medianCores(rounds, func(x rebuildRound) cores { return x.cores })
	for _, round := range rounds {
		r.PeakMB = max(r.PeakMB, float64(round.peak)/(1<<20))
	}
}

func (p *program) rebuildRound(ctx context.Context, d *database, pool *pgxpool.Pool, plan rebuildPlan, tenants []domain.TenantID, each int64) (r rebuildRound, err error) {
	begin := time.Now()
	if err := readAll(ctx, pool, plan.Workers, tenants); err != nil {
		return r, err
	}
	r.read = time.Since(begin)
	var models []string
	if plan.Projection != "" {
		models = []string{plan.Projection}
	}
	forgetPeak(os.Getpid())
	cpu := watchCPU(0, d.pid())
	begin = time.Now()
	rebuilder := rebuild.New(pool)
	rebuilder.FullSpeed = !plan.GiveWay
	rebuilder.Workers, rebuilder.By = plan.Workers, "docketbench"
	err = rebuilder.Rebuild(ctx, tenants, models, nil)
	r.rebuilt, r.cores = time.Since(begin), cpu.cores()
	_, r.peak = residentMemory(os.Getpid())
	return r, err
}

// readPage is how many events one statement reads.
const readPage = 4_000

// sqlReadEvents reads the events of a tenant ($1) after a seq ($2) up to another ($3).
const sqlReadEvents = `SELECT ` + eventstore.Columns + ` FROM events WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq`

// readAll reads the tenants' logs and does nothing with them.
func readAll(ctx context.Context, pool *pgxpool.Pool, workers int, tenants []domain.TenantID) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(workers)
	for _, t := range tenants {
		g.Go(func() error {
			for after, n := int64(0), int64(readPage); n == readPage; after += n {
				rows, err := pool.Query(ctx, sqlReadEvents, t.UUID(), after, after+readPage)
				if err != nil {
					return err
				}
				var (
					tenant, stream, command uuid.UUID
					actor                   *uuid.UUID
					seq                     int64
					streamType, kind        string
					version                 int
					schema                  int16
					at                      time.Time
					data, meta              []byte
				)
				n = 0
				_, err = pgx.ForEachRow(rows, []any{&tenant, &seq, &streamType, &stream, &version, &kind, &schema, &at, &actor, &command, &data, &meta},
					func() error { n++; return nil })
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// countRows counts the rows of one read model, or of all.
func countRows(ctx context.Context, pool *pgxpool.Pool, model string, tenants []domain.TenantID) (int64, error) {
	var sum int64
	for name, table := range projections.Tables() {
		if model != "" && model != name {
			continue
		}
		var n int64
		if err := pool.QueryRow(ctx, `SELECT count(*) FROM `+table+` WHERE tenant_id = ANY ($1)`, tenants).Scan(&n); err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
