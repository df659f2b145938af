package feed

import (
	"context"
	"slices"
	"sync"
	"time"

	"docket/domain"
	"docket/internal/wait"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// idleAdvanceMost is how many checkpoints one statement moves at most: it locks them while it
// runs.
const idleAdvanceMost = 200

// passing is, by place, what subscriptions have passed in memory, and whose checkpoints
// are yet to follow. It may be lost: the sweep finds those checkpoints.
//
// A page costs about as much for no events as for ten, and most subscriptions have no use
// for most events: so these checkpoints are moved together, all tenants' and all
// subscriptions', and not by a page each.
type idleAdvances struct {
	mu     sync.Mutex
	places map[place]passed
	signal chan struct{}
}

// passed is a stretch of a log that a checkpoint may be moved past once it stands inside:
// the subscription ignores the types of all events in it. after is the last seq before it.
//
// last is the command of its last event: should another server have taken Postgres's place
// that lacks the newest events, another event may have that seq.
type passed struct {
	after, through int64
	last           domain.CommandID
}

// note is one of them at its place.
type note struct {
	at place
	passed
}

func newIdleAdvances() *idleAdvances {
	return &idleAdvances{places: map[place]passed{}, signal: make(chan struct{}, 1)}
}

// add notes a stretch, or that the one before goes on.
func (p *idleAdvances) add(n note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, ok := p.places[n.at]; ok && before.through == n.after {
		n.after = before.after
	}
	p.places[n.at] = n.passed
	p.wake()
}

// again puts back what was taken, before what has been added since.
func (p *idleAdvances) again(n note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if since, ok := p.places[n.at]; ok && since.after == n.through {
		n.through, n.last = since.through, since.last
	} else if ok {
		n.passed = since
	}
	p.places[n.at] = n.passed
	p.wake()
}

// wake lets idleAdvances look. The caller holds mu.
func (p *idleAdvances) wake() {
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// moved notes that a page has moved the checkpoint.
func (p *idleAdvances) moved(at place, seq int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.places[at].through <= seq {
		delete(p.places, at)
	}
}

// take hands all of them over.
func (p *idleAdvances) take() (all []note) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, s := range p.places {
		all = append(all, note{at, s})
	}
	clear(p.places)
	return all
}

// idleAdvanceSQL moves the live checkpoints of subscriptions ($2) in tenants ($1) that stand in
// a stretch, which begins after a seq ($3), to its end ($4), and tells which and how far;
// of those that stand there or beyond already, that it was by nothing. It leaves those
// that have never come to their log's end, have failed, are locked, or are filled by
// another fold version than these ($5, null for a subscription without folds), and all
// where the log has another event there than that of a command ($6).
const idleAdvanceSQL = `with passed as (
  select p.*, coalesce((select g.current from generations g
    where g.tenant_id = p.tenant_id and g.subscription = p.subscription), 1) as generation
  from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::integer[], $6::uuid[])
    as p (tenant_id, subscription, after, through, fold_version, last)
  join events e on e.tenant_id = p.tenant_id and e.seq = p.through and e.command_id = p.last),
taken as (
  select c.tenant_id, c.subscription, c.generation, c.seq, p.through from passed p
  join checkpoints c on c.tenant_id = p.tenant_id and c.subscription = p.subscription and c.generation = p.generation
  where c.seq >= p.after and c.seq < p.through and c.complete and c.failures = 0
    and (p.fold_version is null or coalesce(c.fold_version, 1) = p.fold_version)
  for no key update of c skip locked),
moved as (
  update checkpoints c set seq = t.through, advanced_at = clock_timestamp()
  from taken t where c.tenant_id = t.tenant_id and c.subscription = t.subscription and c.generation = t.generation
  returning c.tenant_id, c.subscription, t.through - t.seq)
select * from moved
union all
select c.tenant_id, c.subscription, 0 from passed p
join checkpoints c on c.tenant_id = p.tenant_id and c.subscription = p.subscription and c.generation = p.generation
where c.seq >= p.through`

// advanceIdle moves checkpoints after what was passed in memory, a while after that.
func (f *Feed) advanceIdle() {
	for {
		select {
		case <-f.idle.signal:
		case <-f.ctx.Done():
			return
		}
		if !wait.Sleep(f.ctx, checkpointAfter) {
			return
		}
		for some := range slices.Chunk(f.idle.take(), idleAdvanceMost) {
			if err := f.pass(some); err != nil && f.ctx.Err() == nil {
				f.log.Warn("checkpoints not moved past what nobody wants; pages do it", "error", err)
			}
		}
	}
}

// idleAdvanceTimeout bounds what pass does while no page is handled in its places.
const idleAdvanceTimeout = 2 * time.Second

// pass moves some checkpoints. While it does, nobody here handles a page there: who finds
// a checkpoint locked takes it for another replica's and waits. Those that it can't move
// get a page.
func (f *Feed) pass(some []note) error {
	var held []note
	conn, err := f.cfg.Pool.Acquire(f.ctx) // before anyone is kept waiting
	if err != nil {
		for _, n := range some {
			f.pendingOf(n.at.subscription).mark(n.at.tenant)
		}
		return err
	}
	defer conn.Release()
	for _, n := range some {
		if f.pendingOf(n.at.subscription).hold(n.at.tenant) {
			held = append(held, n)
		} else {
			f.idle.again(n)
		}
	}
	if len(held) == 0 {
		return nil
	}
	moved, err := f.moveIdle(conn, held)
	for _, n := range held {
		news := f.pendingOf(n.at.subscription)
		news.done(n.at.tenant, false)
		if !moved[n.at] {
			news.mark(n.at.tenant)
		}
	}
	return err
}

// moveIdle is idleAdvanceSQL, and tells which checkpoints are past their stretch. On an error
// that isn't known of any.
func (f *Feed) moveIdle(conn *pgxpool.Conn, notes []note) (moved map[place]bool, err error) {
	var (
		tenants        []uuid.UUID
		subscriptions  []string
		after, through []int64
		foldVersions   []*int
		last           []uuid.UUID
	)
	for _, n := range notes {
		tenants, subscriptions = append(tenants, n.at.tenant.UUID()), append(subscriptions, n.at.subscription)
		after, through = append(after, n.after), append(through, n.through)
		foldVersions, last = append(foldVersions, f.fold(n.at.subscription)), append(last, n.last.UUID())
	}
	ctx, cancel := context.WithTimeout(f.ctx, idleAdvanceTimeout)
	defer cancel()
	moved = map[place]bool{}
	b := &pgx.Batch{}
	b.Queue(pageSettingsSQL)
	b.Queue(idleAdvanceSQL, tenants, subscriptions, after, through, foldVersions, last).Query(func(rows pgx.Rows) error {
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
	if err := conn.SendBatch(ctx, b).Close(); err != nil {
		return nil, err
	}
	return moved, nil
}
