package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"docket/domain"
	"docket/internal/postgres"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// How often the checkpoints are looked at, and how long the subscriptions may take
// to handle the rest when the load is over.
const (
	lagEvery   = 2 * time.Millisecond
	drainBound = 30 * time.Second
)

// lagQuarters is in how many parts a run is cut, to see whether the lag grows.
const lagQuarters = 4

// sqlCheckpoints reads how far the live checkpoints of the tenants $1 have come.
const sqlCheckpoints = `
SELECT c.tenant_id, c.subscription, c.seq FROM checkpoints c
LEFT JOIN generations g ON g.tenant_id = c.tenant_id AND g.subscription = c.subscription
WHERE c.tenant_id = ANY ($1) AND c.generation = coalesce(g.current, 1)`

// sqlHeads reads the last seq of each of the tenants $1.
const sqlHeads = `
SELECT t.id, (SELECT e.seq FROM events e WHERE e.tenant_id = t.id ORDER BY e.seq DESC LIMIT 1)
FROM unnest($1::uuid[]) AS t (id)`

// lagWatch measures how long after its acknowledgement a write has been handled by
// each subscription, from their checkpoints: they commit together with what the
// subscription writes. What is found at a look has happened since the one before,
// so lags come out up to lagEvery, and the time of a look, too long.
type lagWatch struct {
	pool          *pgxpool.Pool
	tenants       []uuid.UUID
	subscriptions []string

	mu    sync.Mutex
	fresh []*written // acknowledged, not yet seen by the looking goroutine

	in      span
	stop    context.CancelFunc
	done    chan error
	pending map[uuid.UUID][]*written
	figures lagFigures
}

// written is an acknowledged write that some subscription has yet to handle.
type written struct {
	tenant uuid.UUID
	seq    int64
	at     time.Time
	// left are the subscriptions that haven't, by their place in the list, as bits.
	left uint64
}

// lagFigures are lags of one round.
type lagFigures struct {
	all            latencies
	bySubscription []latencies
	byQuarter      [lagQuarters]latencies
	unseen         int64
}

func newLagFigures(subscriptions int) lagFigures {
	f := lagFigures{all: newLatencies()}
	for range subscriptions {
		f.bySubscription = append(f.bySubscription, newLatencies())
	}
	for i := range f.byQuarter {
		f.byQuarter[i] = newLatencies()
	}
	return f
}

func newLagWatch(ctx context.Context, d *database, companies []*company) (*lagWatch, error) {
	l := &lagWatch{}
	for _, c := range companies {
		id, err := domain.ParseID[any](c.id)
		if err != nil {
			return nil, err
		}
		l.tenants = append(l.tenants, id.UUID())
	}
	var err error
	l.pool, err = postgres.Pool(ctx, d.Engine, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 1, AppName: "docketbench"})
	if err != nil {
		return nil, err
	}
	if err := l.settle(ctx); err != nil {
		l.pool.Close()
		return nil, err
	}
	return l, nil
}

// position is a subscription's, in a tenant's log.
type position struct {
	Tenant       uuid.UUID
	Subscription string
	Seq          int64
}

func (l *lagWatch) look(ctx context.Context) ([]position, error) {
	rows, err := l.pool.Query(ctx, sqlCheckpoints, l.tenants)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[position])
}

// settle waits until all subscriptions have read all that there is, and so learns
// which there are: each has then a checkpoint for each tenant.
func (l *lagWatch) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainBound)
	defer cancel()
	rows, err := l.pool.Query(ctx, sqlHeads, l.tenants)
	if err != nil {
		return err
	}
	heads := map[uuid.UUID]int64{}
	var id uuid.UUID
	var head int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &head}, func() error { heads[id] = head; return nil }); err != nil {
		return err
	}
	for {
		all, err := l.look(ctx)
		if err != nil {
			return fmt.Errorf("wait for the subscriptions: %w", err)
		}
		behind := len(all) == 0
		names := map[string]int{}
		for _, p := range all {
			names[p.Subscription]++
			behind = behind || p.Seq < heads[p.Tenant]
		}
		for _, n := range names {
			behind = behind || n < len(l.tenants)
		}
		if !behind {
			for name := range names {
				l.subscriptions = append(l.subscriptions, name)
			}
			slices.Sort(l.subscriptions)
			return nil
		}
		if err := pause(ctx, lagEvery); err != nil {
			return fmt.Errorf("wait for the subscriptions: %w", err)
		}
	}
}

// pause waits; its error is ctx's.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// acknowledged says that a write was answered this moment.
func (l *lagWatch) acknowledged(tenant string, seq int64) {
	at := time.Now()
	if !l.in.has(at) {
		return
	}
	id, err := uuid.Parse(tenant)
	if err != nil {
		return // newLagWatch has read it
	}
	w := &written{tenant: id, seq: seq, at: at, left: 1<<len(l.subscriptions) - 1}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fresh = append(l.fresh, w)
}

// begin looks until end is called.
func (l *lagWatch) begin(ctx context.Context, in span) {
	l.in, l.pending = in, map[uuid.UUID][]*written{}
	l.figures = newLagFigures(len(l.subscriptions))
	ctx, l.stop = context.WithCancel(ctx)
	l.done = make(chan error, 1)
	go func() { l.done <- l.watch(ctx) }()
}

func (l *lagWatch) watch(ctx context.Context) error {
	for {
		all, err := l.look(ctx)
		if err != nil {
			return err
		}
		l.note(all, time.Now())
		if err := pause(ctx, lagEvery); err != nil {
			return err
		}
	}
}

// note takes the writes that the checkpoints have reached by now off the list.
func (l *lagWatch) note(all []position, now time.Time) {
	l.mu.Lock()
	fresh := l.fresh
	l.fresh = nil
	l.mu.Unlock()
	for _, w := range fresh {
		l.pending[w.tenant] = append(l.pending[w.tenant], w)
	}
	for _, p := range all {
		i := slices.Index(l.subscriptions, p.Subscription)
		if i < 0 {
			continue // it has begun since
		}
		for _, w := range l.pending[p.Tenant] {
			if w.left&(1<<i) != 0 && w.seq <= p.Seq {
				w.left &^= 1 << i
				// One that was acknowledged during the look was handled before it.
				l.figures.bySubscription[i].record(now.Sub(w.at))
			}
		}
	}
	for t, waiting := range l.pending {
		l.pending[t] = slices.DeleteFunc(waiting, func(w *written) bool {
			if w.left == 0 {
				l.figures.all.record(now.Sub(w.at))
				l.figures.byQuarter[l.quarter(w.at)].record(now.Sub(w.at))
			}
			return w.left == 0
		})
	}
}

func (l *lagWatch) quarter(at time.Time) int {
	part := l.in.until.Sub(l.in.from) / lagQuarters
	return min(max(int(at.Sub(l.in.from)/max(part, 1)), 0), lagQuarters-1)
}

// end waits until what was acknowledged has been handled, and gives the figures.
func (l *lagWatch) end(ctx context.Context) (lagFigures, error) {
	l.stop()
	if err := <-l.done; err != nil && !errors.Is(err, context.Canceled) {
		return l.figures, fmt.Errorf("look at the checkpoints: %w", err)
	}
	draining, cancel := context.WithTimeout(ctx, drainBound)
	defer cancel()
	for {
		all, err := l.look(draining)
		if err == nil {
			l.note(all, time.Now())
		}
		waiting := 0
		for _, w := range l.pending {
			waiting += len(w)
		}
		if waiting == 0 && err == nil {
			return l.figures, nil
		}
		if err = errors.Join(err, pause(draining, lagEvery)); err != nil {
			l.figures.unseen = int64(waiting)
			if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
				err = nil
			}
			return l.figures, err
		}
	}
}

func (l *lagWatch) close() { l.pool.Close() }
