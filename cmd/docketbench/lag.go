package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// lagEvery is the pause between two reads of the checkpoints.
const lagEvery = 2 * time.Millisecond

// lagWatch measures the time from the acknowledgement of a write until each subscription
// has handled it, from the checkpoints, which commit together with the rows. What a read
// finds has happened since the read before, so lags come out up to lagEvery, and the time
// of a read, too long.
type lagWatch struct {
	*checkpoints
	in   span
	stop context.CancelFunc
	done chan error

	mu     sync.Mutex
	writes map[domain.TenantID][]written // acknowledged in the measured time of this round

	reads map[string]map[domain.TenantID][]reached
	lags  map[string]latencies // by subscription, of all rounds
}

// written is an acknowledged write, and reached the first read of a checkpoint at a seq.
type (
	written struct {
		seq int64
		at  time.Time
	}
	reached written
)

func newLagWatch(c *checkpoints) *lagWatch {
	l := &lagWatch{checkpoints: c, lags: map[string]latencies{}}
	for _, name := range c.subscriptions {
		l.lags[name] = newLatencies()
	}
	return l
}

// acknowledged takes note of a write that was answered just now.
func (l *lagWatch) acknowledged(tenant domain.TenantID, seq int64) {
	at := time.Now()
	if !l.in.has(at) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes[tenant] = append(l.writes[tenant], written{seq, at})
}

// reset forgets the round before.
func (l *lagWatch) reset(in span) {
	l.in, l.done, l.writes, l.reads = in, make(chan error, 1), map[domain.TenantID][]written{}, map[string]map[domain.TenantID][]reached{}
	for _, name := range l.subscriptions {
		l.reads[name] = map[domain.TenantID][]reached{}
	}
}

// begin reads the checkpoints until end is called.
func (l *lagWatch) begin(ctx context.Context, in span) {
	l.reset(in)
	ctx, l.stop = context.WithCancel(ctx)
	go func() {
		for {
			all, err := l.read(ctx)
			l.note(all, time.Now())
			if err = errors.Join(err, pause(ctx, lagEvery)); err != nil {
				l.done <- err
				return
			}
		}
	}()
}

// note keeps the checkpoints that have moved.
func (l *lagWatch) note(all []position, at time.Time) {
	for _, p := range all {
		of, known := l.reads[p.Subscription]
		if before := of[p.Tenant]; known && (len(before) == 0 || before[len(before)-1].seq < p.Seq) {
			of[p.Tenant] = append(before, reached{p.Seq, at})
		}
	}
}

// end waits until the subscriptions have caught up and records the lags.
func (l *lagWatch) end(ctx context.Context) error {
	err := l.await(ctx)
	err = errors.Join(err, pause(ctx, 10*lagEvery)) // a last read
	l.stop()
	if ended := <-l.done; !errors.Is(ended, context.Canceled) {
		err = errors.Join(err, fmt.Errorf("read the checkpoints: %w", ended))
	}
	if err != nil {
		return err
	}
	return l.record()
}

func (l *lagWatch) record() error {
	for name, lags := range l.lags {
		for tenant, writes := range l.writes {
			reads := l.reads[name][tenant]
			for _, w := range writes {
				i, _ := slices.BinarySearchFunc(reads, w.seq, func(r reached, seq int64) int { return int(r.seq - seq) })
				if i == len(reads) {
					return fmt.Errorf("%s was never seen at seq %d", name, w.seq)
				}
				lags.record(reads[i].at.Sub(w.at))
			}
		}
	}
	return nil
}

// addTo adds the lags to a report.
func (l *lagWatch) addTo(r *report, what string) {
	for _, name := range l.subscriptions {
		of := l.lags[name]
		r.add("lag", what+": "+name, figure{"writes", float64(of.count()), 0}, figure{"p50_ms", of.at(50), 1}, figure{"p99_ms", of.at(99), 1}, figure{"max_ms", of.at(100), 1})
	}
}

// catchUpBound is how long the subscriptions may take to catch up.
const catchUpBound = 30 * time.Minute

// sqlCheckpoints reads the live checkpoints of the tenants $1.
const sqlCheckpoints = `
SELECT c.tenant_id, c.subscription, c.seq FROM checkpoints c
LEFT JOIN generations g ON g.tenant_id = c.tenant_id AND g.subscription = c.subscription
WHERE c.tenant_id = ANY ($1) AND c.generation = coalesce(g.current, 1)`

// sqlHeads reads the last seq of each of the tenants $1.
const sqlHeads = `
SELECT t.id, coalesce((SELECT e.seq FROM events e WHERE e.tenant_id = t.id ORDER BY e.seq DESC LIMIT 1), 0)
FROM unnest($1::uuid[]) AS t (id)`

// sqlCommitted counts the transactions that were committed in this database.
const sqlCommitted = `SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()`

// checkpoints reads how far the subscriptions are in the logs of some tenants.
type checkpoints struct {
	pool    *pgxpool.Pool
	tenants []domain.TenantID
	// subscriptions are the names of all, sorted; known after await.
	subscriptions []string
}

func newCheckpoints(ctx context.Context, d *database, tenants []domain.TenantID) (*checkpoints, error) {
	pool, err := d.pool(ctx, 1)
	return &checkpoints{pool: pool, tenants: tenants}, err
}

// position is a subscription's checkpoint in a tenant.
type position struct {
	Tenant       domain.TenantID
	Subscription string
	Seq          int64
}

func (c *checkpoints) read(ctx context.Context) ([]position, error) {
	rows, err := c.pool.Query(ctx, sqlCheckpoints, c.tenants)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[position])
}

func (c *checkpoints) heads(ctx context.Context) (map[domain.TenantID]int64, error) {
	rows, err := c.pool.Query(ctx, sqlHeads, c.tenants)
	if err != nil {
		return nil, err
	}
	heads := map[domain.TenantID]int64{}
	var (
		id   domain.TenantID
		head int64
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &head}, func() error { heads[id] = head; return nil })
	return heads, err
}

func (c *checkpoints) committed(ctx context.Context) (n int64, err error) {
	err = c.pool.QueryRow(ctx, sqlCommitted).Scan(&n)
	return n, err
}

// await waits until all subscriptions are where the logs end now. It learns from that
// which subscriptions there are: each then has a checkpoint in each tenant.
func (c *checkpoints) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catchUpBound)
	defer cancel()
	heads, err := c.heads(ctx)
	// Reading those of many tenants takes time from the subscriptions.
	every := 10*time.Millisecond + time.Duration(len(c.tenants))*time.Millisecond/10
	for err == nil {
		var all []position
		if all, err = c.read(ctx); err != nil {
			break
		}
		names, behind := c.behind(all, heads)
		if !behind {
			c.subscriptions = names
			return nil
		}
		err = pause(ctx, every)
	}
	return fmt.Errorf("wait for the subscriptions: %w", err)
}

// behind reports whether a subscription isn't at the head of every tenant, and which
// subscriptions there are.
func (c *checkpoints) behind(all []position, heads map[domain.TenantID]int64) (names []string, behind bool) {
	count := map[string]int{}
	for _, p := range all {
		count[p.Subscription]++
		behind = behind || p.Seq < heads[p.Tenant]
	}
	for name, n := range count {
		names = append(names, name)
		behind = behind || n < len(c.tenants)
	}
	slices.Sort(names)
	return names, behind || len(names) == 0
}
