package feed

import (
	"context"
	"fmt"
	"sync"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// sweepSQL finds the tenants whose logs a subscription ($1) hasn't handled to the end. It
// reads the number of events left, whether they are due, and whether the next one has
// failed. They are due unless a failed page waits for its retry or another fold version
// ($2, null for a subscription without folds) fills the rows. It also finds the checkpoints
// that are ahead of their logs, or were (ahead.go).
const sweepSQL = sweepSelectSQL + `from tenant_logs t` + sweepJoinSQL

// sweepSomeSQL is sweepSQL for some tenants ($3). It reads only their rows.
const sweepSomeSQL = sweepSelectSQL + `from unnest($3::uuid[]) as t (tenant_id)` + sweepJoinSQL

const sweepSelectSQL = `select t.tenant_id, head.seq - coalesce(c.seq, 0),
  (c.retry_at is null or c.retry_at <= clock_timestamp()) and (c.tenant_id is null or $2::integer is null or coalesce(c.fold_version, 1) = $2),
  coalesce(c.failures, 0) > 0, coalesce(c.generation, 1), head.seq, coalesce(c.fold_version, 1) < 0
`

const sweepJoinSQL = `
left join generations g on g.tenant_id = t.tenant_id and g.subscription = $1
left join checkpoints c on c.tenant_id = t.tenant_id and c.subscription = $1 and c.generation = coalesce(g.current, 1)
cross join lateral (
  select coalesce((select e.seq from events e where e.tenant_id = t.tenant_id order by e.seq desc limit 1), 0) as seq) head
where head.seq <> coalesce(c.seq, 0) or c.fold_version < 0`

// logsSQL lists the tenants that have logs.
const logsSQL = `select tenant_id from tenant_logs order by tenant_id`

// sweepTimeout bounds one sweep.
const sweepTimeout = 20 * time.Second

// sweep compares heads with checkpoints, at once and then once in each Config.Sweep.
func (f *Feed) sweep(ctx context.Context, subscription string, m *subscriptionMetrics) {
	f.swept(subscription, m, time.Now()) // it counts from here
	compared := sync.OnceFunc(f.compared.Done)
	defer compared()
	for {
		soon := f.sooner() // before the sweep, which may miss what sweepSoon is called for
		sweeping, cancel := context.WithTimeout(ctx, sweepTimeout)
		found, err := f.sweepOnce(sweeping, subscription, m)
		cancel()
		switch {
		case err == nil:
			f.swept(subscription, m, time.Now())
			f.startBringBack(subscription, found, compared)
		case ctx.Err() == nil:
			f.log.Warn("sweep failed", "subscription", subscription, "error", err)
		}
		if !f.untilSweep(ctx, soon) {
			return
		}
	}
}

// sweepOnce returns the checkpoints that are ahead of their logs.
func (f *Feed) sweepOnce(ctx context.Context, subscription string, m *subscriptionMetrics) ([]ahead, error) {
	result, err := f.sweepLogs(ctx, sweepSQL, subscription, f.fold(subscription))
	if unreadable(err) {
		result, err = f.sweepReadable(ctx, subscription)
	}
	if err != nil {
		return nil, err
	}
	f.entryOf(subscription).wake(result.due...)
	m.behindTenants.Set(float64(result.tenants))
	m.behind.Set(float64(result.events))
	m.parked.Set(float64(result.parked))
	m.ahead.Set(float64(len(result.ahead) + result.lost))
	return result.ahead, nil
}

// sweepReadable is sweepLogs where some tenants' data can't be read: it sweeps the others.
// It wakes the unreadable ones too, so that their workers log the errors.
func (f *Feed) sweepReadable(ctx context.Context, subscription string) (result found, err error) {
	tenants, err := Logs(ctx, f.cfg.Pool)
	if err != nil {
		return result, err
	}
	left, err := bisect(tenants, func(some []domain.TenantID) error {
		more, err := f.sweepLogs(ctx, sweepSomeSQL, subscription, f.fold(subscription), some)
		if err == nil {
			result.add(more)
		}
		return err
	})
	result.add(found{due: left, tenants: len(left)})
	return result, err
}

// swept records when a subscription was swept last.
func (f *Feed) swept(subscription string, m *subscriptionMetrics, at time.Time) {
	m.lastSweep.Set(float64(at.UnixMilli()) / 1000)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sweeps[subscription] = at
}

// SinceSweep is the time since the last sweep that succeeded, of the subscription whose is
// longest ago; 0 without subscriptions. While sweeps fail, subscriptions may stand still.
func (f *Feed) SinceSweep() (longest time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range f.sweeps {
		longest = max(longest, time.Since(at))
	}
	return longest
}

// AwaitSweeps waits until the subscriptions have once compared their checkpoints with the
// heads of the logs, and tried to bring back those that were ahead (ahead.go). It is false
// when ctx ended before that. A server calls it after the last Subscribe and before its first
// append: a log that grows past such a checkpoint hides that its subscription misses events.
func (f *Feed) AwaitSweeps(ctx context.Context) bool {
	all := make(chan struct{})
	go func() {
		f.compared.Wait() // at the latest when the subscriptions end
		close(all)
	}()
	select {
	case <-all:
		return true
	case <-ctx.Done():
		return false
	}
}

// found is the result of a sweep: the tenants that are due, the number of tenants with
// events left and of these events, and the number of tenants whose next event has failed.
type found struct {
	due             []domain.TenantID
	tenants, parked int
	events          int64
	// ahead are the checkpoints ahead of their logs. lost is the number of tenants whose
	// checkpoint a server has brought back, and whose rows wait for a rebuild.
	ahead []ahead
	lost  int
}

func (s *found) add(more found) {
	s.due = append(s.due, more.due...)
	s.ahead, s.lost = append(s.ahead, more.ahead...), s.lost+more.lost
	s.tenants, s.parked, s.events = s.tenants+more.tenants, s.parked+more.parked, s.events+more.events
}

// sweepLogs is sweepSQL or sweepSomeSQL.
func (f *Feed) sweepLogs(ctx context.Context, sql string, args ...any) (result found, err error) {
	rows, err := f.cfg.Pool.Query(ctx, sql, args...)
	if err != nil {
		return result, err
	}
	var (
		id                uuid.UUID
		left, head        int64
		generation        int
		due, failed, lost bool
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &left, &due, &failed, &generation, &head, &lost}, func() error {
		if lost {
			result.lost++
		}
		if left < 0 {
			result.ahead = append(result.ahead, ahead{domain.TenantID(id), generation, head - left, head})
		}
		if left <= 0 {
			return nil
		}
		result.tenants, result.events = result.tenants+1, result.events+left
		if failed {
			result.parked++
		}
		if due {
			result.due = append(result.due, domain.TenantID(id))
		}
		return nil
	})
	return result, err
}

// Logs lists the tenants that have logs, the platform included. They are in the order of
// their ids, which is that of their creation. It uses the engine role.
func Logs(ctx context.Context, engine *pgxpool.Pool) ([]domain.TenantID, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	rows, err := engine.Query(ctx, logsSQL)
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	tenants, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t domain.TenantID, err error) {
		err = row.Scan((*uuid.UUID)(&t))
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	return tenants, nil
}

// sooner is closed by the next sweepSoon.
func (f *Feed) sooner() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.soon
}

// untilSweep waits for the next sweep's time, or for soon; it is false when ctx ended first.
func (f *Feed) untilSweep(ctx context.Context, soon <-chan struct{}) bool {
	t := time.NewTimer(f.cfg.Sweep)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-soon:
		return true
	case <-ctx.Done():
		return false
	}
}

// sweepSoon lets every subscription compare heads with checkpoints at once.
func (f *Feed) sweepSoon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.soon)
	f.soon = make(chan struct{})
}
