package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// lagEvery is the pause between two looks at the checkpoints, and drainBound how long
// the subscriptions may take to handle the rest when the load is over.
const (
	lagEvery   = 2 * time.Millisecond
	drainBound = 30 * time.Second
)

// lagQuarters is in how many parts a run is cut, to see whether the lag grows.
const lagQuarters = 4

// lagWatch measures how long after its acknowledgement a write has been handled by
// each subscription, from their checkpoints: they commit together with what the
// subscription writes. What is found at a look has happened since the one before,
// so lags come out up to lagEvery, and the time of a look, too long.
type lagWatch struct {
	*checkpoints

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
