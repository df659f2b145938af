package feed

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"docket/domain"
	"docket/internal/wait"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// idleAdvanceMost is the most checkpoints that one statement moves: it locks them while it
// runs.
const idleAdvanceMost = 200

// idleAdvances are the places with a range of ignored events that their checkpoints have yet
// to move past (tenantState.ignored).
//
// A page costs about as much for no events as for ten, and most subscriptions ignore most
// events. So one statement moves these checkpoints together, those of all tenants and all
// subscriptions.
type idleAdvances struct {
	mu     sync.Mutex
	places map[place]struct{}
	signal chan struct{}
}

func newIdleAdvances() *idleAdvances {
	return &idleAdvances{places: map[place]struct{}{}, signal: make(chan struct{}, 1)}
}

func (i *idleAdvances) add(at place) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.places[at] = struct{}{}
	select {
	case i.signal <- struct{}{}:
	default:
	}
}

func (i *idleAdvances) take() []place {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := slices.Collect(maps.Keys(i.places))
	clear(i.places)
	return all
}

// idleRange is a range of a log in which the subscription ignores the types of all events.
// A checkpoint inside it may be moved to its end. after is the last seq before it.
//
// last is the command of its last event. After a failover to a Postgres server that lacks
// the newest events, another event may have that seq.
type idleRange struct {
	after, through int64
	last           domain.CommandID
}

// then is this range with the next one, if that continues it; otherwise the next one, as
// there may be events to handle between them.
func (r idleRange) then(next idleRange) idleRange {
	if next.through == 0 {
		return r
	}
	if r.through == next.after {
		next.after = r.after
	}
	return next
}

// beyond is this range, or none if the checkpoint has reached a seq at or after its end.
func (r idleRange) beyond(seq int64) idleRange {
	if r.through <= seq {
		return idleRange{}
	}
	return r
}

// idleNote is an idleRange with its place.
type idleNote struct {
	at place
	idleRange
}

// ignore notes a range for the next idle advance.
func (f *Feed) ignore(n idleNote) {
	f.pendingOf(n.at.subscription).change(n.at.tenant, func(s *tenantState) { s.ignored = s.ignored.then(n.idleRange) })
	f.idle.add(n.at)
}

// ignoreAgain notes a range that was taken, in front of what came since.
func (f *Feed) ignoreAgain(n idleNote) {
	f.pendingOf(n.at.subscription).change(n.at.tenant, func(s *tenantState) { s.ignored = n.then(s.ignored) })
	f.idle.add(n.at)
}

// takeIgnored removes and returns all noted ranges.
func (f *Feed) takeIgnored() (all []idleNote) {
	for _, at := range f.idle.take() {
		f.pendingOf(at.subscription).change(at.tenant, func(s *tenantState) {
			if s.ignored.through > 0 {
				all = append(all, idleNote{at, s.ignored})
			}
			s.ignored = idleRange{}
		})
	}
	return all
}

// idleAdvanceSQL moves the live checkpoints of subscriptions ($2) in tenants ($1) to the end
// ($4) of a range, if they are inside it; the range begins after a seq ($3). It returns each
// checkpoint that is at or after the end, and by how many events it was moved. It leaves
// out checkpoints that have never reached their log's end, have failed, are locked, or are
// filled by another fold version ($5, null for a subscription without folds). It also
// leaves out a range whose last event isn't of the command ($6).
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

// advanceIdle moves checkpoints past the idle ranges, checkpointAfter later.
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
		for some := range slices.Chunk(f.takeIgnored(), idleAdvanceMost) {
			if err := f.advanceNotes(some); err != nil && f.ctx.Err() == nil {
				f.log.Warn("checkpoints not moved past ignored events; pages move them", "error", err)
			}
		}
	}
}

// idleAdvanceTimeout bounds the statement, as no page is handled in its places meanwhile.
const idleAdvanceTimeout = 2 * time.Second

// advanceNotes moves some checkpoints. It holds their tenants meanwhile, so that no worker
// here handles a page there: a worker that finds the checkpoint locked takes it for another
// replica's and waits. Tenants whose checkpoint it can't move become pending and get a page.
func (f *Feed) advanceNotes(some []idleNote) error {
	var held []idleNote
	conn, err := f.acquire(f.ctx) // before a tenant is held
	if err != nil {
		for _, n := range some {
			f.pendingOf(n.at.subscription).wake(n.at.tenant)
		}
		return err
	}
	defer conn.Release()
	for _, n := range some {
		if f.pendingOf(n.at.subscription).hold(n.at.tenant) {
			held = append(held, n)
		} else {
			f.ignoreAgain(n)
		}
	}
	if len(held) == 0 {
		return nil
	}
	moved, err := f.moveIdle(conn, held)
	for _, n := range held {
		pending := f.pendingOf(n.at.subscription)
		how := caughtUp
		if !moved[n.at] {
			how = moreIsLeft
		}
		pending.done(n.at.tenant, how, 0)
	}
	return err
}

// moveIdle runs idleAdvanceSQL and returns the places whose checkpoint is at or after the
// end of its range. On an error it returns none.
func (f *Feed) moveIdle(conn *pgxpool.Conn, notes []idleNote) (moved map[place]bool, err error) {
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

// checkpointAfter is how long a checkpoint may stay behind events that its
// subscription doesn't handle.
const checkpointAfter = 250 * time.Millisecond

// idle reports whether no page is needed: the subscription handles none of a tenant's new
// events, or the checkpoint isn't this version's to move. It is false where the subscription
// handles one, or where the recent-events cache doesn't have them all.
//
// Without a transaction idle advances Positions at once; the checkpoint follows a little
// later, for many such events together. If all of them are of ignored types, an idle
// advance moves the checkpoint (idleAdvances). Otherwise a page moves it. The page brings
// the handler all events of types that aren't ignored: should Handles be wrong about one,
// it is handled late and not lost.
//
// The result is exact without a lock. Some replica has handled every event up to known. The
// cache has the events after known without a gap, and the subscription handles none of them.
func (w *worker) idle(t domain.TenantID) bool {
	// This version doesn't know which events another version's fold handles.
	switch mine, known := w.holds(t); {
	case !known:
		return false
	case !mine:
		return true // another version moves the checkpoint, and Positions must not advance here
	}
	forgets := w.feed.positions.forgets()
	known, ok := w.feed.positions.at(t, w.subscription)
	if !ok {
		return false
	}
	events, ok := w.feed.recent.after(t, known, recentEvents)
	if !ok {
		return false
	}
	if len(events) == 0 {
		return true
	}
	ignored := true
	for _, e := range events {
		if w.interest.handles(e) {
			return false
		}
		ignored = ignored && w.interest.ignores(e)
	}
	last := events[len(events)-1]
	w.feed.positions.advanced(t, w.subscription, last.Seq, forgets)
	if ignored {
		w.feed.ignore(idleNote{place{t, w.subscription}, idleRange{known, last.Seq, last.Command}})
	} else {
		w.pending.deferCheckpoint(t)
	}
	return true
}
