package feed

import (
	"context"

	"docket/domain"
)

// RetryDelay is the pause before a failed event is tried again.
var RetryDelay = retryDelay

// News tells the Feed of appends that no Store of its own has made.
func (f *Feed) News(tenants []domain.TenantID) {
	f.Grew(tenants)
}

// Told reports whether the Feed means to tell other replicas of a tenant.
func (f *Feed) Told(t domain.TenantID) bool {
	f.outbox.mu.Lock()
	defer f.outbox.mu.Unlock()
	_, ok := f.outbox.tenants[t]
	return ok
}

// Pass moves a checkpoint past a range that ends with an event of a command, if it may,
// and reports whether it did.
func (f *Feed) Pass(t domain.TenantID, subscription string, after, through int64, last domain.CommandID) (bool, error) {
	conn, err := f.cfg.Pool.Acquire(f.ctx)
	if err != nil {
		return false, err
	}
	defer conn.Release()
	at := place{t, subscription}
	moved, err := f.moveIdle(conn, []idleNote{{at, idleRange{after, through, last}}})
	return moved[at], err
}

// Listens is closed as soon as the Feed listens and has forgotten what it knew before; to
// be asked before the first Subscribe.
func (f *Feed) Listens() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.soon
}

// Remembers reports whether the event after a seq is in memory.
func (f *Feed) Remembers(t domain.TenantID, seq int64) bool {
	_, ok := f.recent.after(t, seq, 1)
	return ok
}

// Mark tells every subscription that a log may have grown, as another replica does.
func (f *Feed) Mark(t domain.TenantID) { f.wake([]domain.TenantID{t}) }

// Fail records that a try failed at the event after a seq, whose lock had read so many
// failures.
func (f *Feed) Fail(ctx context.Context, t domain.TenantID, subscription string, seq int64, failures int, cause error) error {
	f.mu.Lock()
	w := f.newWorker(subscription, nil)
	f.mu.Unlock()
	_, err := w.fail(ctx, &Page{Tenant: t, Generation: 1}, checkpoint{seq: seq, failures: failures}, seq+1, cause)
	return err
}

// SweepSoon lets every subscription compare heads with checkpoints at once.
func (f *Feed) SweepSoon() { f.sweepSoon() }
