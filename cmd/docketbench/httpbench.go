package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"time"

	"docket/domain"
)

// httpBench is what the runs of one docketbench http share.
type httpBench struct {
	plan httpPlan
	log  func(format string, args ...any)
	// db is nil where a server runs that isn't ours, and its database isn't asked.
	db *database
	// dir has the program and its log; empty where it isn't ours.
	dir       string
	server    *docket
	addr      string
	companies []*company
	raw       *rawLog
	rawConns  int // as many as the server has for it
	// checkpoints is nil where the database isn't asked.
	checkpoints *checkpoints
	lag         *lagWatch // nil: not wanted
	rebuilds    *rebuilds // nil: not wanted
}

// prepare starts the server and makes the tenants.
func (b *httpBench) prepare(ctx context.Context, environ map[string]string) error {
	var (
		program  string
		settings map[string]string
	)
	if b.plan.URL == "" {
		var err error
		if b.dir, err = os.MkdirTemp("", "docketbench-http-"); err != nil {
			return err
		}
		if program, err = buildDocket(ctx, b.plan.Docket, b.dir); err != nil {
			return err
		}
		settings = onDatabase(b.db)
		if b.server, err = startDocket(ctx, program, b.dir, environ, settings); err != nil {
			return err
		}
		b.addr = b.server.addr
	} else {
		u, err := url.Parse(b.plan.URL)
		if err != nil {
			return err
		}
		b.addr = u.Host
	}
	most := slices.Max(b.plan.Connections)
	own := (most + b.plan.Tenants - 1) / b.plan.Tenants
	b.log("making %d tenants with %d projects and %d tasks each", b.plan.Tenants, firstProjects+own, firstTasks)
	var err error
	if b.companies, err = foundCompanies(ctx, b.addr, b.plan.Tenants, own); err != nil {
		return fmt.Errorf("make the tenants: %w", err)
	}
	if err := b.lengthen(ctx, program, environ, settings); err != nil {
		return err
	}
	if err := b.outlast(); err != nil {
		return err
	}
	if b.plan.Raw {
		facts, err := readServerFacts(ctx, b.db)
		if err != nil {
			return err
		}
		b.rawConns = facts.connsFor(most)
		if b.raw, err = newRawLog(ctx, b.db, b.plan.Tenants, b.rawConns); err != nil {
			return err
		}
	}
	if b.db != nil {
		var tenants []domain.TenantID
		for _, c := range b.companies {
			id, err := domain.ParseID[any](c.id)
			if err != nil {
				return err
			}
			tenants = append(tenants, domain.TenantID(id))
		}
		if b.checkpoints, err = newCheckpoints(ctx, b.db, tenants); err != nil {
			return err
		}
	}
	if b.plan.Lag {
		b.lag = &lagWatch{checkpoints: b.checkpoints}
	}
	return b.settle(ctx)
}

// outlast refuses a run that takes longer than the access tokens are good for.
func (b *httpBench) outlast() error {
	w := b.plan.window()
	each := w.Warmup + w.Measure
	if b.plan.Raw {
		each *= 2
	}
	all := each * time.Duration(b.plan.Rounds*len(b.plan.Ops)*len(b.plan.Connections))
	if b.rebuilds != nil {
		all *= 2
	}
	for _, c := range b.companies {
		if left := time.Until(c.until); left < all {
			return fmt.Errorf("this takes %s and the access tokens are good for %s: ask for less at once", all, left.Round(time.Second))
		}
	}
	return nil
}

// measure goes through all operations at all numbers of connections.
func (b *httpBench) measure(ctx context.Context, r *httpReport) error {
	for _, op := range b.plan.Ops {
		for _, n := range b.plan.Connections {
			run, err := b.run(ctx, op, n)
			if err != nil {
				return err
			}
			r.Runs = append(r.Runs, run)
			b.log("%s at %d connections: %.0f/s, p99 %.1f ms", op, n, run.RequestsPerS, run.P99)
			if b.rebuilds == nil {
				continue
			}
			b.rebuilds.begin(ctx)
			run, err = b.run(ctx, op, n)
			if err = errors.Join(err, b.rebuilds.end()); err != nil {
				return err
			}
			run.Beside = &besideReport{Finished: b.rebuilds.finished, PeakMB: megabytes(b.rebuilds.peak)}
			r.Runs = append(r.Runs, run)
			b.log("beside %d rebuilds and a part of one: %.0f/s, p99 %.1f ms", run.Beside.Finished, run.RequestsPerS, run.P99)
		}
	}
	return nil
}

// run measures one operation at one number of connections.
func (b *httpBench) run(ctx context.Context, op string, conns int) (httpRun, error) {
	next := operations[op]
	if op == opMix {
		shares, err := parseMix(b.plan.Mix)
		if err != nil {
			return httpRun{}, err
		}
		next = mixed(shares)
	}
	var rounds []httpRound
	for range b.plan.Rounds {
		var (
			r   httpRound
			err error
		)
		if b.raw != nil {
			b.raw.conns = min(conns, b.rawConns)
			if r.Raw, err = b.raw.single(ctx, b.plan.window()); err != nil {
				return httpRun{}, err
			}
		}
		if err := b.round(ctx, &r, next, conns); err != nil {
			return httpRun{}, err
		}
		if err := b.settle(ctx); err != nil {
			return httpRun{}, err
		}
		r.CatchUp = time.Since(r.Ended)
		rounds = append(rounds, r)
	}
	run := summarizeHTTP(rounds)
	run.Operation, run.Connections = op, conns
	if b.raw != nil {
		run.RawConnections = b.raw.conns
	}
	if b.lag != nil {
		run.Lag = summarizeLag(rounds, b.lag.subscriptions)
	}
	return run, nil
}

// round lets the connections work once.
func (b *httpBench) round(ctx context.Context, r *httpRound, next func(*desk) request, conns int) (err error) {
	steps := make([]step, conns)
	for i := range steps {
		of := b.companies[i%len(b.companies)]
		// Seeded: the same things are read in every run.
		d := &desk{company: of, project: of.own[i/len(b.companies)], random: rand.New(rand.NewPCG(1, uint64(i)))}
		c := &client{addr: b.addr}
		defer c.close()
		steps[i] = b.step(c, d, next)
	}
	in := b.plan.window().begin()
	if b.lag != nil {
		b.lag.begin(ctx, in)
	}
	server := 0
	if b.server != nil {
		server = b.server.pid()
	}
	cpu := watchCPU(server, b.db.pid())
	if b.plan.Rate > 0 {
		r.HTTP, err = openLoop(ctx, in, b.plan.Rate, steps)
	} else {
		r.HTTP, err = closedLoop(ctx, in, steps)
	}
	r.Cores, r.Ended = cpu.cores(), time.Now()
	if b.lag != nil {
		var lagErr error
		r.Lag, lagErr = b.lag.end(ctx)
		err = errors.Join(err, lagErr)
	}
	return err
}

// step makes one request after the other on one connection.
func (b *httpBench) step(c *client, d *desk, next func(*desk) request) step {
	return func(ctx context.Context) error {
		r := next(d)
		a, err := c.expect(ctx, d.company.owner, r, false)
		if err != nil {
			return err
		}
		if r.done != nil {
			r.done()
		}
		if b.lag != nil && a.Seq > 0 && r.method != "GET" {
			b.lag.acknowledged(d.company.id, a.Seq)
		}
		return nil
	}
}

// settle waits for the subscriptions, so that what one run has left to them doesn't
// take time from the next, and its reads don't wait.
func (b *httpBench) settle(ctx context.Context) error {
	if b.checkpoints == nil {
		return nil
	}
	return b.checkpoints.settle(ctx, lagEvery)
}

// memory of the server's process; zero where it isn't ours.
func (b *httpBench) memory() memory {
	if b.server == nil {
		return memory{}
	}
	now, most := residentMemory(b.server.pid())
	return memory{Now: now, Most: most}
}

func (b *httpBench) forgetPeak() {
	if b.server != nil {
		forgetPeak(b.server.pid())
	}
}

// close ends what was started, the last first.
func (b *httpBench) close(ctx context.Context) error {
	var errs []error
	if b.checkpoints != nil {
		b.checkpoints.close()
	}
	if b.raw != nil {
		errs = append(errs, b.raw.drop(ctx))
	}
	if b.server != nil {
		errs = append(errs, b.server.stop(ctx))
	}
	if b.db != nil {
		errs = append(errs, b.db.close(ctx))
	}
	if b.dir != "" {
		errs = append(errs, os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}
