package eventstore

import (
	"context"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// passMost is how many checkpoints one statement moves: it locks them while it runs.
const passMost = 200

// passing is, by place, what subscriptions have passed in memory, and whose checkpoints
// are yet to follow. It may be lost: the sweep finds those checkpoints.
//
// A page costs about as much for no events as for ten, and most subscriptions have no use
// for most events: so these checkpoints are moved together, all tenants' and all
// subscriptions', and not by a page each.
type passing struct {
	mu     sync.Mutex
	places map[place]passed
	signal chan struct{}
}

// passed is a stretch of a log that a checkpoint may be moved past once it stands inside:
// the subscription ignores the types of all events in it. after is the last seq before it.
type passed struct{ after, through int64 }

func newPassing() *passing {
	return &passing{places: map[place]passed{}, signal: make(chan struct{}, 1)}
}

// add notes a stretch, or that the one before goes on.
func (p *passing) add(at place, s passed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, ok := p.places[at]; ok && before.through == s.after {
		s.after = before.after
	}
	p.places[at] = s
	p.wake()
}

// again puts back what was taken, where nothing is known that is newer.
func (p *passing) again(at place, s passed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.places[at]; !ok {
		p.places[at] = s
	}
	p.wake()
}

// wake lets notePassed look. The caller holds mu.
func (p *passing) wake() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// moved notes that a page has moved the checkpoint.
func (p *passing) moved(at place, seq int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.places[at].through <= seq {
		delete(p.places, at)
	}
}

// take hands all of them over.
func (p *passing) take() map[place]passed {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.places
	p.places = map[place]passed{}
	return all
}

// passSQL moves the live checkpoints of subscriptions ($2) in tenants ($1) that stand in
// a stretch, which begins after a seq ($3), to its end ($4), and tells which and how far.
// It leaves those that have never come to their log's end, have failed, are locked, or
// are filled by another fold version than these ($5, null for a subscription without
// folds).
const passSQL = `with taken as (
  select c.tenant_id, c.subscription, c.generation, c.seq, p.through
  from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::integer[]) as p (tenant_id, subscription, after, through, fold_version)
  join checkpoints c on c.tenant_id = p.tenant_id and c.subscription = p.subscription
    and c.generation = coalesce((select g.current from generations g
      where g.tenant_id = p.tenant_id and g.subscription = p.subscription), 1)
  where c.seq >= p.after and c.seq < p.through and c.complete and c.failures = 0
    and (p.fold_version is null or coalesce(c.fold_version, 1) = p.fold_version)
  for no key update of c skip locked)
update checkpoints c set seq = t.through, advanced_at = clock_timestamp()
from taken t where c.tenant_id = t.tenant_id and c.subscription = t.subscription and c.generation = t.generation
returning c.tenant_id, c.subscription, t.through - t.seq`

// notePassed moves checkpoints after what was passed in memory, a while after that.
func (f *Feed) notePassed() {
	for {
		select {
		case <-f.passing.signal:
		case <-f.ctx.Done():
			return
		}
		if !sleep(f.ctx, checkpointAfter) {
			return
		}
		some := map[place]passed{}
		for at, s := range f.passing.take() {
			if some[at] = s; len(some) == passMost {
				f.pass(some)
				clear(some)
			}
		}
		f.pass(some)
	}
}

// pass moves some checkpoints. While it does, nobody here handles a page there: who finds
// a checkpoint locked takes it for another replica's and waits. Those that it can't move
// get a page.
func (f *Feed) pass(some map[place]passed) {
	for at, s := range some {
		if !f.newsOf(at.subscription).hold(at.tenant) {
			f.passing.again(at, s)
			delete(some, at)
		}
	}
	if len(some) == 0 {
		return
	}
	moved, err := f.movePassed(some)
	if err != nil && f.ctx.Err() == nil {
		f.log.Warn("checkpoints not moved past what nobody wants; pages do it", "error", err)
	}
	for at := range some {
		n := f.newsOf(at.subscription)
		n.done(at.tenant, false)
		if !moved[at] {
			n.mark(at.tenant)
		}
	}
}

// movePassed is passSQL, and tells of which it did.
func (f *Feed) movePassed(some map[place]passed) (moved map[place]bool, err error) {
	var (
		tenants        []uuid.UUID
		subscriptions  []string
		after, through []int64
		foldVersions   []*int
	)
	for at, s := range some {
		tenants, subscriptions = append(tenants, at.tenant.UUID()), append(subscriptions, at.subscription)
		after, through = append(after, s.after), append(through, s.through)
		foldVersions = append(foldVersions, f.fold(at.subscription))
	}
	ctx, cancel := context.WithTimeout(f.ctx, f.cfg.Timeout)
	defer cancel()
	moved = map[place]bool{}
	b := &pgx.Batch{}
	b.Queue(relaxSQL)
	b.Queue(passSQL, tenants, subscriptions, after, through, foldVersions).Query(func(rows pgx.Rows) error {
		var (
			at     place
			events int64
		)
		_, err := pgx.ForEachRow(rows, []any{(*uuid.UUID)(&at.tenant), &at.subscription, &events}, func() error {
			moved[at] = true
			f.metrics.events.WithLabelValues(at.subscription).Add(float64(events))
			return nil
		})
		return err
	})
	if err := f.cfg.Pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	return moved, nil
}
