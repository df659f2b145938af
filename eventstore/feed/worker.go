package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"
	"docket/internal/wait"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// lookAgainAfter is the pause before a tenant is tried again whose checkpoint another
	// replica has locked or couldn't be read.
	lookAgainAfter = 50 * time.Millisecond
	// troubleMost is the longest pause of a worker after errors of the database; the
	// pause doubles from lookAgainAfter.
	troubleMost = time.Second
	// failingMost is the longest pause of a tenant with unreadable data; the pause doubles
	// from troubleMost. Other tenants don't wait.
	failingMost = 30 * time.Second
	// pace is the pause of a tenant whose newest event was handled. A page costs about as
	// much as thirty events in it: under load the pause lets events share a page, and on a
	// quiet server it delays no request.
	pace = 10 * time.Millisecond
	// closeGrace is how long a handler has to answer after Close or its timeout
	// before its connection is closed.
	closeGrace = 5 * time.Second
)

// worker handles one tenant at a time for one subscription.
type worker struct {
	feed         *Feed
	subscription string
	interest     Interest
	pending      *pendingTenants
	out          chan<- *message.Message
	metrics      *subscriptionMetrics
	// eventBytes is the average size of the events that it has last read from a log.
	eventBytes int
}

func (w *worker) run(ctx context.Context) {
	trouble := lookAgainAfter
	for {
		t, due, ok := w.pending.next(ctx)
		if !ok {
			return
		}
		if !due && w.idle(t) {
			w.pending.done(t, caughtUp, 0)
			continue
		}
		end, err := w.page(ctx, t)
		w.giveBack(t, end, err)
		if err == nil || ctx.Err() != nil {
			trouble = lookAgainAfter
			continue
		}
		w.feed.log.Warn("page not handled", "subscription", w.subscription, "tenant", t, "error", err)
		if unreadable(err) {
			trouble = lookAgainAfter // other tenants may be readable
		}
		if !wait.Sleep(ctx, trouble) {
			return
		}
		trouble = min(2*trouble, troubleMost)
	}
}

// giveBack gives a tenant back after a page, with the pause that its end asks for.
func (w *worker) giveBack(t domain.TenantID, end trigger, err error) {
	switch {
	case end == caughtUp:
		time.AfterFunc(pace, func() { w.pending.done(t, caughtUp, 0) })
	case unreadable(err):
		var pause time.Duration
		w.pending.change(t, func(s *tenantState) { pause = s.backOff() })
		w.pending.done(t, failed, pause)
	case refused(err): // the server has a problem, perhaps with this tenant only
		w.pending.done(t, failed, troubleMost)
	default:
		w.pending.done(t, end, lookAgainAfter)
	}
	if err == nil {
		w.pending.change(t, func(s *tenantState) { s.failures = 0 })
	}
}

// page handles the tenant's next page, if there is one, and says how that ended. An error
// is the database's, not that of an event or its handler, and comes with failed.
func (w *worker) page(ctx context.Context, t domain.TenantID) (trigger, error) {
	forgets := w.feed.positions.forgets()
	reading, cancel := context.WithTimeout(ctx, w.feed.cfg.Timeout)
	defer cancel()
	conn, err := w.feed.acquire(ctx)
	if err != nil {
		return failed, err
	}
	tx, at, err := w.lock(ctx, conn, t)
	if err != nil {
		conn.Release()
		return failed, err
	}
	if w.foreign(at) || w.leftToBuild(t, at) {
		w.release(ctx, conn, tx)
		w.leaveTenant(t, at)
		return foundForeign, nil // the switch wakes it, and the sweep finds it
	}
	w.own(t, at)
	if !at.locked {
		w.release(ctx, conn, tx)
		if at.parked {
			return caughtUp, nil // the sweep wakes the tenant when the retry is due
		}
		return foundHeld, nil
	}
	p := &Page{Subscription: w.subscription, Tenant: t, Generation: at.generation, Tx: tx, begun: time.Now(), forgets: forgets}
	s, err := w.read(reading, tx, t, at)
	unknown, damaged := errors.Is(err, domain.ErrUnknownEvent), errors.Is(err, errDamaged)
	if unknown {
		w.leftToNewer(t, s.Through, err)
	}
	end := err == nil && s.Through >= at.head // of the log, when the checkpoint was locked
	switch {
	case err != nil && !unknown && !damaged:
		w.release(ctx, conn, tx)
		if unreadable(err) { // such as a damaged page of the table
			return w.fail(ctx, p, at, w.furthest(at), err)
		}
		return failed, err
	case s.Through > at.seq: // the events before a bad one are handled first
	case damaged:
		w.release(ctx, conn, tx)
		return w.fail(ctx, p, at, at.seq+1, err)
	case end && !at.complete:
	default:
		w.release(ctx, conn, tx)
		return caughtUp, nil
	}
	p.Events = s.Events
	if len(p.Events) == 0 {
		return w.advance(ctx, conn, tx, p, at, s.Through, end)
	}
	switch answer, cause := w.deliver(ctx, conn, tx, p); answer {
	case acked:
		return w.advance(ctx, conn, tx, p, at, s.Through, end)
	case nacked:
		if errors.Is(cause, domain.ErrUnknownEvent) {
			return w.notMine(ctx, p, at, cause)
		}
		return w.fail(ctx, p, at, p.last(), cause)
	default:
		return caughtUp, nil
	}
}

// answer is how the delivery of a page ended.
type answer int

const (
	acked answer = iota
	nacked
	closed // the subscription ended, which is no failure
)

// deliver hands the page over and waits for the answer. Unless the page is acked, deliver
// rolls back the transaction and releases the connection.
func (w *worker) deliver(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx, p *Page) (_ answer, cause error) {
	m := message.NewMessage(uuid.NewString(), nil)
	m.Metadata.Set("subscription", w.subscription)
	m.Metadata.Set("tenant", p.Tenant.String())
	handling, cancel := context.WithTimeout(ctx, w.feed.cfg.Timeout)
	defer cancel()
	m.SetContext(context.WithValue(handling, pageKey{}, p))

	select {
	case w.out <- m:
	case <-ctx.Done():
		w.release(ctx, conn, tx)
		return closed, nil
	}
	select {
	case <-m.Acked():
		return acked, nil
	case <-m.Nacked():
		w.release(ctx, conn, tx)
		if ctx.Err() != nil {
			return closed, nil
		}
		return nacked, p.failure
	case <-handling.Done():
	}
	// The handler's queries fail now, and it has closeGrace to notice. Its page is rolled
	// back even if it acks late.
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-m.Acked():
		w.release(ctx, conn, tx)
	case <-m.Nacked():
		w.release(ctx, conn, tx)
	case <-grace.C:
		// The handler may still be using the connection, so it leaves the pool and its
		// socket is closed: Postgres rolls back.
		_ = conn.Hijack().PgConn().Conn().Close()
	}
	if ctx.Err() != nil {
		return closed, nil
	}
	return nacked, fmt.Errorf("not handled within %s: %w", w.feed.cfg.Timeout, handling.Err())
}

// advance runs the handler's queued statements, moves the checkpoint to a seq and commits.
// The seq is that of the page's last event, or of ignored or skipped events after it.
// complete says that the log ended there. If Postgres or the driver rejects a statement, or
// the commit takes too long, the page has failed, although the handler acked.
func (w *worker) advance(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx, p *Page, at checkpoint, last int64, complete bool) (trigger, error) {
	// A Close that comes now doesn't undo a handled page, unless the commit takes long.
	bound := max(closeGrace, w.feed.cfg.Timeout-time.Since(p.begun))
	done, cancel := context.WithTimeout(context.WithoutCancel(ctx), bound)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(closeGrace, cancel) })()
	wrote := p.queued.Len() > 0
	p.Queue(advanceSQL, p.Tenant.UUID(), w.subscription, p.Generation, last, complete)
	p.Queue("commit")
	err := p.carryOut(done)
	late := wrote && errors.Is(done.Err(), context.DeadlineExceeded)
	if err == nil {
		conn.Release()
	} else {
		w.release(ctx, conn, tx)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil: // closed, which is no failure
		return failed, fmt.Errorf("advance checkpoint: %w", err)
	case late, refused(err):
		end := last
		if len(p.Events) > 0 {
			end = p.last()
		}
		if late {
			err = fmt.Errorf("not within %s: %w", bound, err)
		}
		return w.fail(ctx, p, at, end, fmt.Errorf("acked, but what the page did can't be committed: %w", err))
	default:
		return failed, fmt.Errorf("advance checkpoint: %w", err)
	}
	if last > at.seq {
		w.metrics.handled(p, last-at.seq)
	}
	w.reached(p, last)
	if complete {
		return caughtUp, nil
	}
	return moreIsLeft, nil
}

// reached records that a page has moved a tenant's checkpoint to a seq. Readers that wait
// for it find all that the page did. A page of a server that was replaced meanwhile may be
// lost.
func (w *worker) reached(p *Page, seq int64) {
	w.pending.change(p.Tenant, func(s *tenantState) { s.ignored = s.ignored.beyond(seq) })
	w.feed.positions.advanced(p.Tenant, w.subscription, seq, p.forgets)
}

// release rolls back and gives the connection back to the pool.
func (w *worker) release(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	_ = tx.Rollback(ctx) // a connection that can't roll back is thrown away by the pool
	conn.Release()
}
