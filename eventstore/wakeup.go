package eventstore

import (
	"context"
	"strings"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// newsChannel is the NOTIFY channel. Its payload is the sender's id, a space, and
// tenant ids with commas: a Feed doesn't heed what it sent itself.
const newsChannel = "docket_news"

// flipSender is the sender where a generation took the place of another: what is known
// of those tenants may be of the other's fold.
const flipSender = "flip"

const (
	// notifyEvery is the least time between two NOTIFYs of one replica: each takes
	// a lock that is global to the cluster, so appends share one.
	notifyEvery = 10 * time.Millisecond
	// notifyMost is how many tenants one NOTIFY names: a payload has < 8,000 bytes.
	notifyMost = 200
	// reconnectAfter is the pause after the listening connection broke.
	reconnectAfter = time.Second
)

// notifySQL tells other replicas of news ($1 channel, $2 payload).
const notifySQL = `select pg_notify($1, $2)`

// sweepSQL finds the tenants whose logs a subscription ($1) hasn't read to the
// end: how many events are left, whether it is time to handle them (a failed
// page waits) and they are for this fold version ($2, null for a subscription without
// folds), and whether the next one has failed.
const sweepSQL = `select t.tenant_id, head.seq - coalesce(c.seq, 0),
  (c.retry_at is null or c.retry_at <= clock_timestamp()) and (c.tenant_id is null or $2::integer is null or coalesce(c.fold_version, 1) = $2),
  coalesce(c.failures, 0) > 0
from tenant_logs t
left join generations g on g.tenant_id = t.tenant_id and g.subscription = $1
left join checkpoints c on c.tenant_id = t.tenant_id and c.subscription = $1 and c.generation = coalesce(g.current, 1)
cross join lateral (
  select coalesce((select e.seq from events e where e.tenant_id = t.tenant_id order by e.seq desc limit 1), 0) as seq) head
where head.seq > coalesce(c.seq, 0)`

// notify tells other replicas of local appends, after their commits.
func (f *Feed) notify() {
	for {
		t, _, ok := f.outbox.next(f.ctx)
		if !ok {
			return
		}
		tenants := []string{t.String()}
		f.outbox.done(t, false)
		for len(tenants) < notifyMost {
			more, ok := f.outbox.take()
			if !ok {
				break
			}
			tenants = append(tenants, more.String())
		}
		if _, err := f.cfg.Pool.Exec(f.ctx, notifySQL, newsChannel, f.id+" "+strings.Join(tenants, ",")); err != nil && f.ctx.Err() == nil {
			f.log.Warn("notify failed; other replicas find the news by their sweep", "error", err)
		}
		if !sleep(f.ctx, notifyEvery) {
			return
		}
	}
}

// listen marks what other replicas append. It reconnects for ever; what it
// misses meanwhile is the sweep's.
func (f *Feed) listen() {
	for {
		err := f.listenOnce()
		if f.ctx.Err() != nil {
			return
		}
		f.log.Warn("listening for news broke off; reconnecting", "error", err)
		if !sleep(f.ctx, reconnectAfter) {
			return
		}
	}
}

func (f *Feed) listenOnce() error {
	acquired, err := f.cfg.Pool.Acquire(f.ctx)
	if err != nil {
		return err
	}
	// A listening session is no good to anyone else, so it leaves the pool.
	conn := acquired.Hijack()
	defer conn.Close(context.WithoutCancel(f.ctx))
	if _, err := conn.Exec(f.ctx, "listen "+pgx.Identifier{newsChannel}.Sanitize()); err != nil {
		return err
	}
	// What was said before we listened is lost.
	f.forget()
	defer f.forget() // at once, and not when we listen again
	f.sweepSoon()
	for {
		n, err := conn.WaitForNotification(f.ctx)
		if err != nil {
			return err
		}
		sender, list, _ := strings.Cut(n.Payload, " ")
		if sender == f.id {
			continue
		}
		tenants := parseTenants(list)
		if sender == flipSender {
			f.flipped(tenants)
		}
		f.mark(tenants)
	}
}

// forget lets go of what is known of logs and checkpoints. Should Postgres have crashed,
// checkpoints may have gone back: pages of read models don't wait for the disk. And should
// another server have taken its place that lacks the newest events, their seqs are given
// to others.
func (f *Feed) forget() {
	f.progress.forget()
	f.held.Purge()
	f.passing.take()
	f.tail.forget()
}

// parseTenants reads tenant ids with commas between. What isn't one is left to
// the sweep.
func parseTenants(list string) []domain.TenantID {
	var tenants []domain.TenantID
	for s := range strings.SplitSeq(list, ",") {
		if id, err := uuid.Parse(s); err == nil {
			tenants = append(tenants, domain.TenantID(id))
		}
	}
	return tenants
}

// sweep compares heads with checkpoints, at once and then every so often.
func (f *Feed) sweep(ctx context.Context, subscription string, n *news, m *subscriptionMetrics) {
	for {
		if err := f.sweepOnce(ctx, subscription, n, m); err != nil && ctx.Err() == nil {
			f.log.Warn("sweep failed", "subscription", subscription, "error", err)
		}
		if !f.untilSweep(ctx) {
			return
		}
	}
}

func (f *Feed) sweepOnce(ctx context.Context, subscription string, n *news, m *subscriptionMetrics) error {
	rows, err := f.cfg.Pool.Query(ctx, sweepSQL, subscription, f.fold(subscription))
	if err != nil {
		return err
	}
	var (
		found                   []domain.TenantID
		tenants, events, parked int64
		id                      uuid.UUID
		left                    int64
		due, failed             bool
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &left, &due, &failed}, func() error {
		tenants, events = tenants+1, events+left
		if failed {
			parked++
		}
		if due {
			found = append(found, domain.TenantID(id))
		}
		return nil
	})
	if err != nil {
		return err
	}
	n.mark(found...)
	m.behindTenants.Set(float64(tenants))
	m.behind.Set(float64(events))
	m.parked.Set(float64(parked))
	return nil
}

// untilSweep waits for the next sweep's time, or for sweepSoon; it is false when
// ctx ended first.
func (f *Feed) untilSweep(ctx context.Context) bool {
	f.mu.Lock()
	soon := f.soon
	f.mu.Unlock()
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

// sleep waits; it is false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
