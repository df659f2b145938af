package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// httpBench is what the runs of one docketbench http share.
type httpBench struct {
	*program
	plan        httpPlan
	db          *database
	docket      docket
	server      *process
	tenants     []*tenant
	raw         *rawLog // nil: not planned
	checkpoints *checkpoints
	report      *report
}

// prepare starts the server and creates the tenants.
func (b *httpBench) prepare(ctx context.Context, path string) (err error) {
	most, h := slices.Max(b.plan.Connections), b.plan
	if b.db, err = b.openDatabase(ctx, most+spareConnections); err != nil {
		return err
	}
	if b.docket, err = b.docketOn(ctx, b.db, path); err != nil {
		return err
	}
	if b.server, err = b.docket.serve(ctx); err != nil {
		return err
	}
	if b.tenants, err = createTenants(ctx, b.server.addr, h.Tenants, (most+h.Tenants-1)/h.Tenants); err != nil {
		return err
	}
	if h.Raw {
		if b.raw, err = newRawLog(ctx, b.db, h.Tenants); err != nil {
			return err
		}
	}
	if err = b.fillFirst(ctx); err != nil {
		return err
	}
	ids := newTenants(0)
	for _, t := range b.tenants {
		ids = append(ids, t.id)
	}
	if b.checkpoints, err = newCheckpoints(ctx, b.db, ids); err != nil {
		return err
	}
	return b.checkpoints.await(ctx)
}

// round measures raw INSERTs, where they are planned, and then the load once.
func (b *httpBench) round(ctx context.Context, l load, lag *lagWatch) ([]figure, error) {
	if err := b.logIn(ctx); err != nil {
		return nil, err
	}
	single, err := b.raw.single(ctx, &b.plan.loadPlan, l.conns)
	if err != nil {
		return nil, err
	}
	before, err := b.checkpoints.committed(ctx)
	if err != nil {
		return nil, err
	}
	cpu := watchCPU(b.server.pid(), b.db.pid())
	s, err := b.requests(ctx, l, lag)
	if err != nil {
		return nil, err
	}
	ended, cores := time.Now(), cpu.figures()
	memory, _ := memoryOf(b.server.pid())
	// What is left to the subscriptions must not take time from the next round.
	if err := b.checkpoints.await(ctx); err != nil {
		return nil, err
	}
	caughtUp, postgres := time.Since(ended), cpu.ofPostgres()
	after, err := b.checkpoints.committed(ctx)
	if err != nil {
		return nil, err
	}
	n := float64(max(s.All, 1))
	figures := append(s.figures("requests_per_s", b.report), ratioSingle(s, single, b.report)...)
	figures = append(figures, figure{"postgres_ms", postgres.Seconds() * 1000 / n, 3}, figure{"transactions", float64(after-before) / n, 2})
	return append(append(figures, cores...), figure{"catch_up_s", caughtUp.Seconds(), 2}, figure{"server_mb", memory, 0}), nil
}

// logIn renews all tokens, which end after some minutes.
func (b *httpBench) logIn(ctx context.Context) error {
	c := &client{addr: b.server.addr}
	defer c.close()
	for _, t := range b.tenants {
		if err := t.logIn(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// requests lets the connections work once.
func (b *httpBench) requests(ctx context.Context, l load, lag *lagWatch) (s sample, err error) {
	steps := make([]step, l.conns)
	for i := range steps {
		t := b.tenants[i%len(b.tenants)]
		// Seeded: the same things are read in every run.
		d := &desk{tenant: t, project: t.own[i/len(b.tenants)], random: rand.New(rand.NewPCG(1, uint64(i)))}
		c := &client{addr: b.server.addr}
		defer c.close()
		steps[i] = func(ctx context.Context) error {
			r := d.next(l.op)
			a, err := c.do(ctx, t.owner, r)
			if err == nil && l.lag && r.method != http.MethodGet {
				lag.acknowledged(t.id, a.Seq)
			}
			return err
		}
	}
	in, p := b.plan.begin(), (*pace)(nil)
	if l.rate > 0 {
		p = &pace{start: time.Now(), every: time.Duration(float64(time.Second) / l.rate)}
	}
	if !l.lag {
		return runLoad(ctx, in, p, steps)
	}
	lag.begin(ctx, in)
	s, err = runLoad(ctx, in, p, steps)
	return s, errors.Join(err, lag.end(ctx))
}

// close ends what was started, the last first.
func (b *httpBench) close(ctx context.Context) (err error) {
	if b.checkpoints != nil {
		b.checkpoints.pool.Close()
	}
	if b.raw != nil {
		err = b.raw.drop(ctx)
	}
	if b.server != nil {
		err = errors.Join(err, b.server.stop(ctx))
	}
	return errors.Join(err, b.db.close(ctx))
}

// rebuild rebuilds the first tenant's read models in a process of its own.
func (b *httpBench) rebuild(ctx context.Context, flags ...string) (*process, error) {
	return b.docket.run(ctx, append([]string{"projections", "rebuild", "--tenant", b.tenants[0].id.String()}, flags...)...)
}

// fillFirst adds the planned events to the first tenant's log and rebuilds its read
// models once, so that the subscriptions needn't go through all of it.
func (b *httpBench) fillFirst(ctx context.Context) error {
	if b.plan.Rebuild == 0 {
		return nil
	}
	if err := newCorpus().extend(ctx, b.db, b.tenants[0].id, int64(b.plan.Rebuild)); err != nil {
		return err
	}
	ran, err := b.rebuild(ctx, "--full-speed")
	if err != nil {
		return err
	}
	b.note("%d events written, and rebuilt in %s with at most %.0f MB", b.plan.Rebuild, ran.took.Round(time.Millisecond), ran.peakMB)
	return b.db.tidy(ctx)
}

// besideRebuilds measures while the first tenant's read models are rebuilt again and
// again. It interrupts the last rebuild.
func (b *httpBench) besideRebuilds(ctx context.Context, measure func() error) (finished int, peakMB float64, err error) {
	rebuilding, stop := context.WithCancel(ctx)
	var rebuilds sync.WaitGroup
	var failed error
	rebuilds.Go(func() {
		for failed == nil {
			var ran *process
			ran, failed = b.rebuild(rebuilding)
			peakMB = max(peakMB, ran.peakMB)
			finished++
		}
		finished--
	})
	err = measure()
	stop()
	rebuilds.Wait()
	if errors.Is(failed, context.Canceled) {
		failed = nil
	}
	return finished, peakMB, errors.Join(err, failed)
}
