package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// rebuildPlan is the plan of docketbench rebuild.
type rebuildPlan struct {
	Events     int
	Tenants    int
	Projection string
	Workers    int
	Rounds     int
	Throttled  bool
	CatchUp    bool
	Docket     string
}

func (p *program) rebuildCommand() *cobra.Command {
	var r rebuildPlan
	c := command("rebuild", "Measure rebuilds of read models beside reading the events",
		`It measures how many events a second docket projections rebuild --full-speed takes, from
its start to its end: for one read model or, where none is named, for all of them. In the
same run, in turns, as many connections as workers read the same events through pgx, into
the Go types of their columns and nothing else; ratio_read compares the two. An event
counts once, however many read models fold it.

The log is filled first. Of 500 events five are a project's, 375 those of 75 tasks that
are all open at a time, and 120 are comments. From the second round on the deletion of
the rows before is part of a rebuild.`,
		`  docketbench rebuild
  docketbench rebuild --projection tasks
  docketbench rebuild --events 200000 --tenants 20 --catch-up`,
		func(ctx context.Context) error {
			if r.Tenants < 1 || r.Events < r.Tenants {
				return errors.New("--tenants must be at least 1, and --events at least as many")
			}
			if err := errors.Join(inRange("workers", r.Workers, 1, 16), inRange("rounds", r.Rounds, 1, 1000)); err != nil {
				return err
			}
			return p.rebuild(ctx, r)
		})
	f := c.Flags()
	f.IntVar(&r.Events, "events", 1_000_000, "number of events")
	f.IntVar(&r.Tenants, "tenants", 100, "number of tenants")
	f.StringVar(&r.Projection, "projection", "", "one read `model` (default: all)")
	f.IntVar(&r.Workers, "workers", 2, "how many tenants are rebuilt at a time")
	f.IntVar(&r.Rounds, "rounds", 3, "number of rounds")
	f.BoolVar(&r.Throttled, "throttled", false, "rebuild as beside an API, without --full-speed")
	f.BoolVar(&r.CatchUp, "catch-up", false, "measure first how fast the subscriptions of a docket serve go through the same events")
	f.StringVar(&r.Docket, "docket", "", "the docket to measure (default: built from this checkout)")
	return c
}

// rebuildBench is what the rounds of one run share.
type rebuildBench struct {
	plan    rebuildPlan
	db      *database
	docket  docket
	args    []string // of docket projections rebuild
	pool    *pgxpool.Pool
	tenants []domain.TenantID
	each    int64 // events of a tenant
	events  float64
}

func (p *program) rebuild(ctx context.Context, plan rebuildPlan) (err error) {
	db, err := p.openDatabase(ctx, 2*spareConnections)
	defer func() { err = errors.Join(err, db.close(p.cutOff)) }()
	if err != nil {
		return err
	}
	b := &rebuildBench{plan: plan, db: db, tenants: newTenants(plan.Tenants), each: int64((plan.Events + plan.Tenants - 1) / plan.Tenants)}
	b.events = float64(b.each) * float64(plan.Tenants)
	b.args = []string{"projections", "rebuild", "--workers", strconv.Itoa(plan.Workers)}
	if plan.Projection != "" {
		b.args = append(b.args, "--projection", plan.Projection)
	}
	if !plan.Throttled {
		b.args = append(b.args, "--full-speed")
	}
	if b.docket, err = p.docketOn(ctx, db, plan.Docket); err != nil {
		return err
	}
	if b.pool, err = db.pool(ctx, plan.Workers); err != nil {
		return err
	}
	defer b.pool.Close()
	if err := newCorpus().fill(ctx, db, b.tenants, b.each); err != nil {
		return err
	}
	p.note("%.0f events of %d tenants written", b.events, plan.Tenants)
	r := newReport()
	if plan.CatchUp {
		figures, err := b.catchUp(ctx)
		if err != nil {
			return err
		}
		r.add("catch-up", "all subscriptions", figures...)
	}
	var rounds [][]figure
	for i := range plan.Rounds {
		figures, err := b.round(ctx)
		if err != nil {
			return err
		}
		rounds = append(rounds, figures)
		p.note("round %d: %.0f events/s, %.2f of reading", i+1, figures[0].value, row{figures: figures}.value("ratio_read"))
	}
	r.add("rebuild", strings.Join(b.args[2:], " "), medians(rounds)...)
	return p.print(r)
}

// catchUp runs docket serve over logs that no subscription has seen, until all have
// caught up. It counts from the start of the process.
func (b *rebuildBench) catchUp(ctx context.Context) (_ []figure, err error) {
	c, err := newCheckpoints(ctx, b.db, b.tenants)
	if err != nil {
		return nil, err
	}
	defer c.pool.Close()
	cpu := watchCPU(0, b.db.pid())
	s, err := b.docket.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop(context.WithoutCancel(ctx))) }()
	if err := c.await(ctx); err != nil {
		return nil, err
	}
	took := time.Since(s.begin)
	_, s.peakMB = memoryOf(s.pid())
	return b.figures(s, took, cpuOfTree(s.pid()), cpu.ofPostgres()), nil
}

// figures are the rate, processor time and memory.
func (b *rebuildBench) figures(p *process, took, docket, postgres time.Duration) []figure {
	return []figure{{"events_per_s", b.events / took.Seconds(), 0}, {"docket_us_per_event", docket.Seconds() * 1e6 / b.events, 1},
		{"postgres_us_per_event", postgres.Seconds() * 1e6 / b.events, 1}, {"peak_mb", p.peakMB, 0}}
}

// round reads the events, and then rebuilds.
func (b *rebuildBench) round(ctx context.Context) ([]figure, error) {
	begin := time.Now()
	if err := b.readAll(ctx); err != nil {
		return nil, err
	}
	read := time.Since(begin)
	cpu := watchCPU(0, b.db.pid())
	ran, err := b.docket.run(ctx, b.args...)
	if err != nil {
		return nil, err
	}
	own := ran.cmd.ProcessState.UserTime() + ran.cmd.ProcessState.SystemTime()
	return append(b.figures(ran, ran.took, own, cpu.ofPostgres()), figure{"read_events_per_s", b.events / read.Seconds(), 0},
		figure{"ratio_read", read.Seconds() / ran.took.Seconds(), 2}), nil
}

// sqlReadEvents reads the events of a tenant ($1) after a seq ($2), 4,000 at a time.
const sqlReadEvents = `SELECT ` + eventstore.Columns + ` FROM events WHERE tenant_id = $1 AND seq > $2 AND seq <= $2 + 4000 ORDER BY seq`

// readAll reads the tenants' logs and drops what it reads.
func (b *rebuildBench) readAll(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(b.plan.Workers)
	for _, t := range b.tenants {
		g.Go(func() error {
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
			columns := []any{&tenant, &seq, &streamType, &stream, &version, &kind, &schema, &at, &actor, &command, &data, &meta}
			for seq < b.each {
				rows, err := b.pool.Query(ctx, sqlReadEvents, t.UUID(), seq)
				if err != nil {
					return err
				}
				if _, err = pgx.ForEachRow(rows, columns, func() error { return nil }); err != nil {
					return fmt.Errorf("read the events: %w", err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}
