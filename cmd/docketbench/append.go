package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"docket/eventstore"
	"docket/internal/postgres"
	"docket/migrations"

	"github.com/spf13/cobra"
)

// maxWriters bounds the connections of raw INSERTs.
const maxWriters = 1000

// appendPlan is the plan of docketbench append.
type appendPlan struct {
	Writers []int
	Tenants int
	loadPlan
}

func (p *program) appendCommand() *cobra.Command {
	var a appendPlan
	c := command("append", "Measure the event store beside plain INSERTs",
		`It appends one-event Commits through the pools of docket serve. In the same run, in turns,
as many connections INSERT one row of the same size per transaction, prepared, into a
table with the columns and keys of the log; ratio_single compares the two.

Each writer is a member of a tenant (writer modulo tenants) and works at tasks of its
own: a Commit creates or updates a task, guarded by the writer's membership.`,
		`  docketbench append --writers 1,16,64,256`,
		func(ctx context.Context) error {
			if err := a.check(); err != nil {
				return err
			}
			return p.append(ctx, a)
		})
	f := c.Flags()
	f.IntSliceVar(&a.Writers, "writers", []int{64}, "number of writers")
	f.IntVar(&a.Tenants, "tenants", 10, "number of tenants")
	a.flags(c, 5, 500*time.Millisecond)
	return c
}

func (a *appendPlan) check() error {
	for _, n := range a.Writers {
		if err := inRange("writers", n, 1, maxWriters); err != nil {
			return err
		}
	}
	return errors.Join(inRange("tenants", a.Tenants, 1, maxWriters), a.loadPlan.check())
}

// appendBench is what the rounds of one run share.
type appendBench struct {
	*program
	plan   appendPlan
	db     *database
	steps  []step // one for each writer
	raw    *rawLog
	report *report
}

func (p *program) append(ctx context.Context, a appendPlan) (err error) {
	most := slices.Max(a.Writers)
	d, err := p.openDatabase(ctx, most+spareConnections)
	defer func() { err = errors.Join(err, d.close(p.cutOff)) }()
	if err != nil {
		return err
	}
	if err := migrations.Up(ctx, d.Owner, nil); err != nil {
		return err
	}
	engine, err := d.pool(ctx, postgres.AppendConns)
	if err != nil {
		return err
	}
	defer engine.Close()
	api, err := postgres.Pool(ctx, d.API, postgres.PoolConfig{Role: postgres.APIRole, MaxConns: postgres.ReadConns, AppName: appName})
	if err != nil {
		return err
	}
	defer api.Close()
	b := &appendBench{program: p, plan: a, db: d, report: newReport()}
	if b.steps, err = newWriters(ctx, eventstore.New(engine, api, nil), most, newTenants(a.Tenants)); err != nil {
		return err
	}
	if b.raw, err = newRawLog(ctx, d, a.Tenants); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.raw.drop(context.WithoutCancel(ctx))) }()
	for _, n := range a.Writers {
		if err := b.measure(ctx, n); err != nil {
			return err
		}
	}
	return p.print(b.report)
}

// measure lets raw INSERTs and appends of so many writers take turns.
func (b *appendBench) measure(ctx context.Context, writers int) error {
	var rounds [][]figure
	for range b.plan.Rounds {
		single, err := b.raw.single(ctx, &b.plan.loadPlan, writers)
		if err != nil {
			return err
		}
		cpu := watchCPU(0, b.db.pid())
		s, err := runLoad(ctx, b.plan.begin(), nil, b.steps[:writers])
		if err != nil {
			return err
		}
		figures := append(s.figures("appends_per_s", b.report), ratioSingle(s, single, b.report)...)
		rounds = append(rounds, append(figures, cpu.figures()...))
		b.note("round %d: append %.0f/s, raw single %.0f/s", len(rounds), s.perSecond(), single.perSecond())
	}
	b.report.add("append", fmt.Sprintf("%d writers of %d tenants", writers, b.plan.Tenants), medians(rounds)...)
	return nil
}
