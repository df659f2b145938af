package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

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
