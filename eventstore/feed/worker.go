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
	// lookAgainAfter is the pause before a tenant is tried again whose checkpoint
	// another replica has locked, or that couldn't be looked at.
	lookAgainAfter = 50 * time.Millisecond
	// troubleMost is the longest pause of a worker that the database fails; the
	// pause doubles from lookAgainAfter.
	troubleMost = time.Second
	// failingMost is the longest pause of a tenant of which something can't be read, be it its
	// checkpoint; the pause doubles from troubleMost. It alone waits.
	failingMost = 30 * time.Second
	// pace is how long a tenant is left alone whose newest event was handled. A page
	// costs about as much as thirty events in it: under load they come together, and
	// on a quiet server nobody waits.
	pace = 10 * time.Millisecond
	// closeGrace is how long a handler has to answer after Close or its timeout
	// before its connection is cut.
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
	// eventBytes is how long an event was on average that it has read last from a log.
	eventBytes int
}

func (w *worker) run(ctx context.Context) {
	trouble := lookAgainAfter
	for {
		t, due, ok := w.pending.next(ctx)
		if !ok {
			return
		}
		if !due && w.skip(t) {
			w.pending.done(t, false)
			continue
		}
		again, err := w.page(ctx, t)
		if err == nil {
			w.pending.markHealthy(t)
		}
		switch {
		case again == lookNow:
			w.pending.done(t, true)
		case again == lookOnNews:
			time.AfterFunc(pace, func() { w.pending.done(t, false) })
		case unreadable(err):
			time.AfterFunc(w.pending.markFailing(t), func() { w.pending.done(t, true) })
		case refused(err): // the server is in trouble, perhaps with this tenant alone
			time.AfterFunc(troubleMost, func() { w.pending.done(t, true) })
		default:
			w.pending.done(t, false)
			time.AfterFunc(lookAgainAfter, func() { w.pending.mark(t) })
		}
		if err == nil || ctx.Err() != nil {
			trouble = lookAgainAfter
			continue
		}
		w.feed.log.Warn("page not handled", "subscription", w.subscription, "tenant", t, "error", err)
		if unreadable(err) {
			trouble = lookAgainAfter // the others may be well
		}
		if !wait.Sleep(ctx, trouble) {
			return
		}
		trouble = min(2*trouble, troubleMost)
	}
}

// look says when a tenant is to be looked at again.
type look int

const (
	lookOnNews look = iota // nothing more is known to be there
	lookNow
	lookLater
)

// page handles the tenant's next page, if there is one. An error is one of the
// database, not of an event or its handler, and comes with lookLater.
func (w *worker) page(ctx context.Context, t domain.TenantID) (look, error) {
	conn, err := w.feed.cfg.Pool.Acquire(ctx)
	if err != nil {
		return lookLater, err
	}
	tx, at, err := w.lock(ctx, conn, t)
	if err != nil {
		conn.Release()
		return lookLater, err
	}
	if w.foreign(at) || w.leaves(t, at) {
		w.release(ctx, conn, tx)
		w.leave(t, at)
		return lookOnNews, nil // the flip is news; and the sweep finds it
	}
	w.own(t, at)
	if !at.locked {
		w.release(ctx, conn, tx)
		if at.parked {
			return lookOnNews, nil // the sweep finds it when it is due
		}
		return lookLater, nil
	}
	p := &Page{Subscription: w.subscription, Tenant: t, Generation: at.generation, Tx: tx, begun: time.Now()}
	s, err := w.read(ctx, tx, t, at)
	unknown, damaged := errors.Is(err, domain.ErrUnknownEvent), errors.Is(err, errDamaged)
	if unknown {
		w.leftToNewer(t, s.Through, err)
	}
	end := err == nil && s.Through >= at.head // of the log, when the checkpoint was locked
	switch {
	case err != nil && !unknown && !damaged:
		w.release(ctx, conn, tx)
		if unreadable(err) { // as where a page of the table is damaged
			return w.failed(ctx, p, at, w.furthest(at), err)
		}
		return lookLater, err
	case s.Through > at.seq: // what is before a bad event comes first
	case damaged:
		w.release(ctx, conn, tx)
		return w.failed(ctx, p, at, at.seq+1, err)
	case end && !at.complete:
	default:
		w.release(ctx, conn, tx)
		return lookOnNews, nil
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
		return w.failed(ctx, p, at, p.last(), cause)
	default:
		return lookOnNews, nil
	}
}

// answer is how the delivery of a page ended.
type answer int

const (
	acked answer = iota
	nacked
	closed // the subscription ended: nobody's fault
)

// deliver hands the page over and waits for the answer. Unless it was acked the
// transaction is rolled back and the connection given back.
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
	// The handler's queries fail now; it has a moment to notice. A page whose
	// time is over is rolled back even if it is acked late.
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-m.Acked():
		w.release(ctx, conn, tx)
	case <-m.Nacked():
		w.release(ctx, conn, tx)
	case <-grace.C:
		// The handler may still be using the connection, so it leaves the pool and
		// is cut at the socket: Postgres rolls back.
		_ = conn.Hijack().PgConn().Conn().Close()
	}
	if ctx.Err() != nil {
		return closed, nil
	}
	return nacked, fmt.Errorf("not handled within %s: %w", w.feed.cfg.Timeout, handling.Err())
}

// advance moves the checkpoint to a seq, that of the page's last event or of those
// that are passed after it, carries out what the handler has queued before that, and
// commits; complete says that the log ended there. Where Postgres, or the driver, refuses
// something of it or it takes too long, the handler has failed, though it acked.
func (w *worker) advance(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx, p *Page, at checkpoint, last int64, complete bool) (look, error) {
	// Handled is handled: a Close that comes now doesn't undo it, unless that takes long.
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
	case ctx.Err() != nil: // closed: nobody's fault
		return lookLater, fmt.Errorf("advance checkpoint: %w", err)
	case late, refused(err):
		end := last
		if len(p.Events) > 0 {
			end = p.last()
		}
		if late {
			err = fmt.Errorf("not within %s: %w", bound, err)
		}
		return w.failed(ctx, p, at, end, fmt.Errorf("acked, but what the page did can't be committed: %w", err))
	default:
		return lookLater, fmt.Errorf("advance checkpoint: %w", err)
	}
	if last > at.seq {
		w.metrics.handled(p, last-at.seq)
	}
	w.feed.idle.moved(place{p.Tenant, w.subscription}, last)
	w.feed.positions.advanced(p.Tenant, w.subscription, last) // last: who waits for it finds all done
	if complete {
		return lookOnNews, nil
	}
	return lookNow, nil
}

// giveUp rolls back and gives the connection back.
func (w *worker) release(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	_ = tx.Rollback(ctx) // a connection that can't roll back is thrown away by the pool
	conn.Release()
}
