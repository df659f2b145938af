package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/postgres"
	"docket/migrations"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
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

// sqlCreateRaw creates the table of the raw INSERTs: the columns and keys of events,
// without its checks, triggers and row-level security.
const sqlCreateRaw = `
CREATE TABLE docketbench_raw (
  tenant_id uuid NOT NULL, seq bigint NOT NULL, stream_type text NOT NULL, stream_id uuid NOT NULL,
  version integer NOT NULL, type text NOT NULL, schema_version smallint NOT NULL, occurred_at timestamptz NOT NULL,
  actor_id uuid, command_id uuid NOT NULL, data json NOT NULL, meta json NOT NULL,
  PRIMARY KEY (tenant_id, seq), UNIQUE (tenant_id, stream_id, version))`

const sqlDropRaw = `DROP TABLE IF EXISTS docketbench_raw`

// sqlInsertRaw inserts one row; the parameters are the columns.
const sqlInsertRaw = `INSERT INTO docketbench_raw VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

// rawLog measures INSERTs of one row per transaction.
type rawLog struct {
	db         *database
	tenants    []domain.TenantID
	heads      []atomic.Int64 // the tenants' last seqs
	def        domain.Definition
	actor      uuid.UUID
	data, meta json.RawMessage // of an event of the size that is appended
}

// newRawLog creates the table.
func newRawLog(ctx context.Context, d *database, tenants int) (*rawLog, error) {
	w := newWriter(nil, newID[domain.TenantID]())
	r := &rawLog{db: d, tenants: newTenants(tenants), heads: make([]atomic.Int64, tenants), actor: w.actor.UUID()}
	var err error
	if r.def, r.data, err = domain.Encode(w.next()); err != nil {
		return nil, err
	}
	r.meta = must(json.Marshal(w.meta))
	return r, execute(ctx, d.Owner, sqlDropRaw, sqlCreateRaw)
}

// drop removes the table.
func (r *rawLog) drop(ctx context.Context) error { return execute(ctx, r.db.Owner, sqlDropRaw) }

// single runs a closed loop of INSERTs on each of n connections, or as many as the server
// has. Without a raw log it does nothing.
func (r *rawLog) single(ctx context.Context, l *loadPlan, n int) (sample, error) {
	if r == nil {
		return sample{}, nil
	}
	n = max(1, min(n, r.db.conns-spareConnections))
	conns, steps := make([]*pgx.Conn, n), make([]step, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close(context.WithoutCancel(ctx)) // its work is done
			}
		}
	}()
	var g errgroup.Group
	g.SetLimit(16)
	for i := range conns {
		steps[i] = func(ctx context.Context) error { return r.insert(ctx, conns[i], i%len(r.tenants)) }
		g.Go(func() (err error) {
			if conns[i], err = connect(ctx, r.db.Owner); err == nil {
				_, err = conns[i].Prepare(ctx, sqlInsertRaw, sqlInsertRaw)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return sample{}, fmt.Errorf("%d connections for raw INSERTs: %w", n, err)
	}
	return runLoad(ctx, l.begin(), nil, steps)
}

func (r *rawLog) insert(ctx context.Context, c *pgx.Conn, tenant int) error {
	_, err := c.Exec(ctx, sqlInsertRaw, r.tenants[tenant].UUID(), r.heads[tenant].Add(1), string(r.def.Stream), newID[uuid.UUID](), 1,
		r.def.Type, int16(r.def.Version), time.Now(), r.actor, newID[uuid.UUID](), r.data, r.meta)
	if err != nil {
		return &failure{"raw", err}
	}
	return nil
}

// ratioSingle compares a load with raw INSERTs; nothing where there were none.
func ratioSingle(s, raw sample, r *report) []figure {
	if raw.Elapsed == 0 {
		return nil
	}
	raw.figures("", r) // counts the failures
	return []figure{{"raw_single_per_s", raw.perSecond(), 0}, {"ratio_single", ratio(s.perSecond(), raw.perSecond()), 4}}
}
