package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"docket/domain"
	"docket/internal/wait"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// lockGroupSQL locks the live checkpoints of some subscriptions ($2) in a tenant ($1) that
// can share a page: they are complete, have no failure, are filled by this version's folds
// ($3, by subscription) and aren't locked by another transaction.
const lockGroupSQL = `select c.subscription, c.generation from unnest($2::text[], $3::integer[]) as m (name, fold_version)
join checkpoints c on c.tenant_id = $1 and c.subscription = m.name and coalesce(c.fold_version, 1) = m.fold_version
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $1 and g.subscription = m.name), 1)
where c.complete and c.failures = 0 and c.careful_to <= c.seq
for no key update of c skip locked`

// groupStatusSQL reads, after lockGroupSQL, where the live checkpoints of some
// subscriptions ($2) in a tenant ($1) are, whether each waits for a retry or has an event
// to skip, the last seq of the log, and the command of the event at a seq ($3). A build may
// have been switched to before the lock.
const groupStatusSQL = `select m.name, c.generation, c.seq, coalesce(c.retry_at > clock_timestamp(), false),
  exists (select from skips s where s.tenant_id = $1 and s.subscription = m.name and s.seq > c.seq),
  coalesce((select e.seq from events e where e.tenant_id = $1 order by e.seq desc limit 1), 0),
  (select e.command_id from events e where e.tenant_id = $1 and e.seq = $3)
from unnest($2::text[]) as m (name)
join checkpoints c on c.tenant_id = $1 and c.subscription = m.name
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $1 and g.subscription = m.name), 1)`

// advanceGroupSQL moves the checkpoints of a tenant's ($1) subscriptions ($2) with their
// generations ($3) to a seq ($4).
const advanceGroupSQL = `update checkpoints c set seq = $4, advanced_at = clock_timestamp()
from unnest($2::text[], $3::integer[]) as m (name, generation)
where c.tenant_id = $1 and c.subscription = m.name and c.generation = m.generation`

// groupWorker hands pages to the subscriptions of a group together:
//
//	wake-up ─▶ members that handle an event ─▶ lock their checkpoints ─▶ read once
//	       ─▶ one message with a page per member ─▶ one batch: rows, checkpoints, commit
//
// A member continues alone, through its own worker, if it failed, is far behind, is
// incomplete, has an event to skip, or another fold version or replica has its checkpoint.
// If the shared page fails, it is rolled back and each member continues alone: so only the
// one that fails is parked.
type groupWorker struct {
	worker
	members []*worker
}

func (g *groupWorker) run(ctx context.Context) {
	trouble := lookAgainAfter
	for {
		t, due, ok := g.pending.next(ctx)
		if !ok {
			return
		}
		active := g.active(t, due)
		if len(active) == 0 {
			g.pending.done(t, caughtUp, 0)
			continue
		}
		end, err := g.page(ctx, t, active)
		if end == caughtUp {
			time.AfterFunc(pace, func() { g.pending.done(t, caughtUp, 0) })
		} else {
			g.pending.done(t, end, lookAgainAfter)
		}
		if err == nil || ctx.Err() != nil {
			trouble = lookAgainAfter
			continue
		}
		g.feed.log.Warn("page not handled", "subscription", g.subscription, "tenant", t, "error", err)
		if !wait.Sleep(ctx, trouble) {
			return
		}
		trouble = min(2*trouble, troubleMost)
	}
}

// active are the members that have events to handle. If the wake-up came from elsewhere
// than this replica's own append (due), it is all of them.
func (g *groupWorker) active(t domain.TenantID, due bool) []*worker {
	if due {
		return g.members
	}
	var active []*worker
	for _, m := range g.members {
		if !m.idle(t) {
			active = append(active, m)
		}
	}
	return active
}

// handOver wakes members' own workers, which continue without the group.
func (g *groupWorker) handOver(t domain.TenantID, members ...*worker) {
	for _, m := range members {
		m.pending.wake(t)
	}
}

// groupMember is a member whose checkpoint the page has locked.
type groupMember struct {
	*worker
	generation int
	seq        int64
}

// page handles the next page of a tenant for some members. An error is the database's and
// concerns no event.
func (g *groupWorker) page(ctx context.Context, t domain.TenantID, active []*worker) (trigger, error) {
	forgets := g.feed.positions.forgets()
	reading, cancel := context.WithTimeout(ctx, g.feed.cfg.Timeout)
	defer cancel()
	conn, err := g.feed.acquire(ctx)
	if err != nil {
		return failed, err
	}
	tx, locked, head, err := g.lockMembers(ctx, conn, t, active)
	if err != nil {
		conn.Release()
		if unreadable(err) {
			g.handOver(t, active...)
			return caughtUp, nil
		}
		return failed, err
	}
	if len(locked) == 0 {
		g.release(ctx, conn, tx)
		return caughtUp, nil
	}
	first := slices.MinFunc(locked, func(a, b groupMember) int { return int(a.seq - b.seq) }).seq
	s, err := g.read(reading, tx, t, checkpoint{seq: first, head: head})
	switch {
	case err != nil && !refused(err) && !UnreadableEvent(err):
		g.release(ctx, conn, tx)
		return failed, err
	case err != nil && (s.Through == first || !UnreadableEvent(err)): // or Postgres has aborted the transaction
		g.release(ctx, conn, tx)
		g.continueAlone(t, locked, err)
		return caughtUp, nil
	}
	locked = slices.DeleteFunc(locked, func(m groupMember) bool { return m.seq >= s.Through })
	if len(locked) == 0 {
		g.release(ctx, conn, tx)
		return caughtUp, nil
	}
	p := &Page{Subscription: g.subscription, Tenant: t, Events: s.Events, Tx: tx, begun: time.Now(), forgets: forgets}
	for _, m := range locked {
		own := &Page{Subscription: m.subscription, Tenant: t, Generation: m.generation, Events: s.since(m.seq), Tx: tx, begun: p.begun}
		if len(own.Events) > 0 {
			p.members = append(p.members, own)
		}
	}
	if len(p.members) > 0 {
		switch answer, cause := g.deliver(ctx, conn, tx, p); answer {
		case nacked:
			g.continueAlone(t, locked, cause)
			return caughtUp, nil
		case closed:
			return caughtUp, nil
		}
	}
	err = g.advanceMembers(ctx, conn, tx, p, locked, s.Through)
	switch {
	case err == nil && s.Through >= head:
		return caughtUp, nil
	case err == nil:
		return moreIsLeft, nil
	case refused(err) || errors.Is(err, context.DeadlineExceeded):
		g.continueAlone(t, locked, err)
		return caughtUp, nil
	}
	return failed, err
}

// continueAlone has the members of a page that failed continue one by one.
func (g *groupWorker) continueAlone(t domain.TenantID, members []groupMember, cause error) {
	level := slog.LevelInfo
	if errors.Is(cause, domain.ErrUnknownEvent) {
		level = slog.LevelDebug // each of them reports once that it leaves the event to a newer version
	}
	g.feed.log.Log(context.Background(), level, "shared page failed, its read models continue one by one",
		"subscription", g.subscription, "tenant", t, "error", cause)
	for _, m := range members {
		g.handOver(t, m.worker)
	}
}

// lockMembers begins the page's transaction and locks the checkpoints of those members
// that share it; the others continue alone. On an error the transaction is over.
func (g *groupWorker) lockMembers(ctx context.Context, conn *pgxpool.Conn, t domain.TenantID, active []*worker) (pgx.Tx, []groupMember, int64, error) {
	names, versions := make([]string, len(active)), make([]int32, len(active))
	for i, m := range active {
		names[i], versions[i] = m.subscription, int32(m.interest.FoldVersion)
	}
	var (
		name          string
		generation    int
		seq, head     int64
		parked, skips bool
		generations   = map[string]int{}
		locked        []groupMember
		found         = map[string]bool{}
		furthest      int64
		command       *uuid.UUID
	)
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{})
	b.Queue(pageSettingsSQL)
	b.Queue(lockGroupSQL, t.UUID(), names, versions).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&name, &generation}, func() error {
			generations[name] = generation
			return nil
		})
		return err
	})
	remembered, remembers := g.feed.recent.last(t)
	b.Queue(groupStatusSQL, t.UUID(), names, remembered.Seq).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&name, &generation, &seq, &parked, &skips, &head, &command}, func() error {
			m := active[slices.Index(names, name)]
			if parked { // the sweep wakes the tenant when the retry is due
				found[name] = true
				return nil
			}
			if ours, ok := generations[name]; ok && ours == generation && !skips {
				found[name] = true
				locked = append(locked, groupMember{m, generation, seq})
				furthest = max(furthest, seq)
			}
			return nil
		})
		return err
	})
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	results := conn.SendBatch(ctx, b)
	err := results.Close()
	tx := results.Tx()
	if err != nil {
		_ = tx.Rollback(context.WithoutCancel(ctx))
		return nil, nil, 0, fmt.Errorf("lock checkpoints: %w", err)
	}
	if remembers {
		g.feed.recent.verify(remembered, command)
	}
	for _, m := range active {
		if !found[m.subscription] {
			g.handOver(t, m)
		}
	}
	// A member that is far behind must not slow the others down.
	locked = slices.DeleteFunc(locked, func(m groupMember) bool {
		if far := furthest-m.seq > int64(g.feed.cfg.PageSize); far {
			g.handOver(t, m.worker)
			return true
		}
		m.own(t, checkpoint{locked: true})
		return false
	})
	return tx, locked, head, nil
}

// advanceMembers carries out what the members have queued, moves their checkpoints to a
// seq and commits, in one round trip.
func (g *groupWorker) advanceMembers(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx, p *Page, members []groupMember, through int64) error {
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(closeGrace, g.feed.cfg.Timeout-time.Since(p.begun)))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(closeGrace, cancel) })()
	names, generations := make([]string, len(members)), make([]int32, len(members))
	for i, m := range members {
		names[i], generations[i] = m.subscription, int32(m.generation)
	}
	for _, own := range p.members {
		p.queued.QueuedQueries = append(p.queued.QueuedQueries, own.queued.QueuedQueries...)
	}
	p.Queue(advanceGroupSQL, uuid.UUID(p.Tenant), names, generations, through)
	p.Queue("commit")
	if err := p.carryOut(done); err != nil {
		g.release(ctx, conn, tx)
		return fmt.Errorf("write rows and advance checkpoints: %w", err)
	}
	conn.Release()
	for _, m := range members {
		own := &Page{begun: p.begun}
		if i := slices.IndexFunc(p.members, func(o *Page) bool { return o.Subscription == m.subscription }); i >= 0 {
			own = p.members[i]
		}
		m.metrics.handled(own, through-m.seq)
	}
	for _, m := range members {
		m.reached(p, through)
	}
	return nil
}
