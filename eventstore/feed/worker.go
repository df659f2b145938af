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
		case again == lookOnWakeUp:
			time.AfterFunc(pace, func() { w.pending.done(t, false) })
		case unreadable(err):
			time.AfterFunc(w.pending.markFailing(t), func() { w.pending.done(t, true) })
		case refused(err): // the server has a problem, perhaps with this tenant only
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
			trouble = lookAgainAfter // other tenants may be readable
		}
		if !wait.Sleep(ctx, trouble) {
			return
		}
		trouble = min(2*trouble, troubleMost)
	}
}

// look says when a worker looks at a tenant again.
type look int

const (
	lookOnWakeUp look = iota // no more events are known
	lookNow
	lookLater
)

// page handles the tenant's next page, if there is one. An error is the database's, not
// that of an event or its handler, and comes with lookLater.
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
	if w.foreign(at) || w.leftToBuild(t, at) {
		w.release(ctx, conn, tx)
		w.leaveTenant(t, at)
		return lookOnWakeUp, nil // the switch wakes it, and the sweep finds it
	}
	w.own(t, at)
	if !at.locked {
		w.release(ctx, conn, tx)
		if at.parked {
			return lookOnWakeUp, nil // the sweep marks the tenant when the retry is due
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
		if unreadable(err) { // such as a damaged page of the table
			return w.failed(ctx, p, at, w.furthest(at), err)
		}
		return lookLater, err
	case s.Through > at.seq: // the events before a bad one are handled first
	case damaged:
		w.release(ctx, conn, tx)
		return w.failed(ctx, p, at, at.seq+1, err)
	case end && !at.complete:
	default:
		w.release(ctx, conn, tx)
		return lookOnWakeUp, nil
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
		return lookOnWakeUp, nil
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
func (w *worker) advance(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx, p *Page, at checkpoint, last int64, complete bool) (look, error) {
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
	w.feed.positions.advanced(p.Tenant, w.subscription, last) // last: readers that wait for it find all of it done
	if complete {
		return lookOnWakeUp, nil
	}
	return lookNow, nil
}

// release rolls back and gives the connection back to the pool.
func (w *worker) release(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	_ = tx.Rollback(ctx) // a connection that can't roll back is thrown away by the pool
	conn.Release()
}
