package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// lookAgainAfter is the pause before a tenant is tried again whose checkpoint
	// another replica has locked, or whose database connection failed.
	lookAgainAfter = 50 * time.Millisecond
	// closeGrace is how long a handler has to answer after Close or its timeout
	// before its connection is cut.
	closeGrace = 5 * time.Second
)

// lockSQL locks the live checkpoint of a subscription ($1) in a tenant ($2),
// unless another replica has it, and reads where it stands.
const lockSQL = `select c.seq, c.generation, c.failures from checkpoints c
where c.tenant_id = $2 and c.subscription = $1
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)
  and (c.retry_at is null or c.retry_at <= clock_timestamp())
for no key update of c skip locked`

// generationSQL reads which generation of a subscription ($1) is live in a
// tenant ($2). Asked after the lock: a rebuild may have flipped it while we waited.
const generationSQL = `select coalesce((select current from generations where tenant_id = $2 and subscription = $1), 1)`

// beginCheckpointSQL makes the checkpoint of a subscription ($1) in a tenant ($2).
const beginCheckpointSQL = `insert into checkpoints (tenant_id, subscription, generation)
select $2, $1, coalesce((select current from generations where tenant_id = $2 and subscription = $1), 1)
on conflict do nothing`

// pageSQL reads up to $3 events of a tenant ($1) after a seq ($2).
const pageSQL = `select ` + Columns + ` from events where tenant_id = $1 and seq > $2 order by seq limit $3`

// advanceSQL moves a checkpoint ($1 tenant, $2 subscription, $3 generation) to a seq ($4).
const advanceSQL = `update checkpoints set seq = $4, failures = 0, retry_at = null, error = null, advanced_at = clock_timestamp()
where tenant_id = $1 and subscription = $2 and generation = $3`

// failSQL records a failed page at a checkpoint ($1 tenant, $2 subscription, $3
// generation), if it still stands at the seq ($4): why ($5), and how many
// seconds to wait ($6, 0 for none).
const failSQL = `update checkpoints set failures = failures + 1, error = $5,
  retry_at = case when $6::float8 > 0 then clock_timestamp() + $6::float8 * interval '1 second' end
where tenant_id = $1 and subscription = $2 and generation = $3 and seq = $4`

// worker handles one tenant at a time for one subscription.
type worker struct {
	feed         *Feed
	subscription string
	news         *news
	out          chan<- *message.Message
}

func (w *worker) run(ctx context.Context) {
	for {
		t, ok := w.news.next(ctx)
		if !ok {
			return
		}
		again, err := w.page(ctx, t)
		if err != nil && ctx.Err() == nil {
			w.feed.log.Warn("page not handled", "subscription", w.subscription, "tenant", t, "error", err)
			again = lookLater
		}
		w.news.done(t, again == lookNow)
		if again == lookLater {
			timer := time.AfterFunc(lookAgainAfter, func() { w.news.mark(t) })
			context.AfterFunc(ctx, func() { timer.Stop() })
		}
	}
}

// look says when a tenant is to be looked at again.
type look int

const (
	lookOnNews look = iota // nothing more is known to be there
	lookNow
	lookLater
)

// page handles the tenant's next page, if there is one.
func (w *worker) page(ctx context.Context, t domain.TenantID) (look, error) {
	conn, err := w.feed.cfg.Pool.Acquire(ctx)
	if err != nil {
		return lookLater, err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		conn.Release()
		return lookLater, err
	}
	at, err := w.lock(ctx, tx, t)
	if err != nil || !at.locked {
		w.giveUp(ctx, conn, tx)
		return lookLater, err
	}
	p := &Page{Subscription: w.subscription, Tenant: t, Generation: at.generation, Tx: tx}
	p.Events, err = readPage(ctx, tx, t, at.seq, w.limit(at))
	if errors.Is(err, domain.ErrUnknownEvent) {
		w.feed.log.Warn("left to a newer version", "subscription", w.subscription, "tenant", t, "error", err)
		err = nil
	}
	if err != nil || len(p.Events) == 0 {
		w.giveUp(ctx, conn, tx)
		if err != nil {
			return w.failed(ctx, p, at, err)
		}
		return lookOnNews, nil
	}
	acked, err := w.deliver(ctx, conn, tx, p)
	if err != nil {
		return lookLater, err
	}
	if !acked {
		if ctx.Err() != nil {
			return lookOnNews, nil
		}
		return w.failed(ctx, p, at, p.failure)
	}
	return w.advance(ctx, conn, tx, p, at)
}

// standing is where a checkpoint stands.
type standing struct {
	locked     bool
	seq        int64
	generation int
	failures   int
}

// limit is how many events to read: one where the last page failed.
func (w *worker) limit(at standing) int {
	if at.failures > 0 {
		return 1
	}
	return w.feed.cfg.PageSize
}

func (w *worker) lock(ctx context.Context, tx pgx.Tx, t domain.TenantID) (standing, error) {
	at, err := w.tryLock(ctx, tx, t)
	if err != nil || at.locked {
		return at, err
	}
	// Locked by another, waiting for its retry, or not there yet.
	made, err := tx.Exec(ctx, beginCheckpointSQL, w.subscription, t.UUID())
	if err != nil || made.RowsAffected() == 0 {
		return at, err
	}
	return w.tryLock(ctx, tx, t)
}

func (w *worker) tryLock(ctx context.Context, tx pgx.Tx, t domain.TenantID) (standing, error) {
	var (
		at   standing
		live int
	)
	b := &pgx.Batch{}
	b.Queue(lockSQL, w.subscription, t.UUID()).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&at.seq, &at.generation, &at.failures)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		at.locked = err == nil
		return err
	})
	b.Queue(generationSQL, w.subscription, t.UUID()).QueryRow(func(row pgx.Row) error { return row.Scan(&live) })
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return standing{}, fmt.Errorf("lock checkpoint: %w", err)
	}
	at.locked = at.locked && at.generation == live
	return at, nil
}

// deliver hands the page over and waits for the answer. Unless it was acked the
// transaction is rolled back and the connection given back.
func (w *worker) deliver(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx, p *Page) (acked bool, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		w.giveUp(ctx, conn, tx)
		return false, err
	}
	m := message.NewMessage(id.String(), nil)
	m.Metadata.Set("subscription", w.subscription)
	m.Metadata.Set("tenant", p.Tenant.String())
	handling, cancel := context.WithTimeout(ctx, w.feed.cfg.Timeout)
	defer cancel()
	m.SetContext(context.WithValue(handling, pageKey{}, p))

	select {
	case w.out <- m:
	case <-ctx.Done():
		w.giveUp(ctx, conn, tx)
		return false, nil
	}
	select {
	case <-m.Acked():
		return true, nil
	case <-m.Nacked():
		w.giveUp(ctx, conn, tx)
		return false, nil
	case <-handling.Done():
	}
	// The handler's queries fail now; it has a moment to notice. A page whose
	// time is over is rolled back even if it is acked late.
	grace := time.NewTimer(closeGrace)
	defer grace.Stop()
	select {
	case <-m.Acked():
		w.giveUp(ctx, conn, tx)
	case <-m.Nacked():
		w.giveUp(ctx, conn, tx)
	case <-grace.C:
		// The handler may still be using the connection, so it leaves the pool and
		// is cut at the socket: Postgres rolls back.
		_ = conn.Hijack().PgConn().Conn().Close()
	}
	if p.failure == nil {
		p.failure = handling.Err()
	}
	return false, nil
}

// advance moves the checkpoint and commits.
func (w *worker) advance(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx, p *Page, at standing) (look, error) {
	last := p.Events[len(p.Events)-1].Seq
	// Handled is handled: a Close that comes now doesn't undo it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	defer conn.Release()
	if _, err := tx.Exec(ctx, advanceSQL, p.Tenant.UUID(), w.subscription, p.Generation, last); err != nil {
		_ = tx.Rollback(ctx)
		return lookLater, fmt.Errorf("advance checkpoint: %w", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return lookLater, fmt.Errorf("commit page: %w", err)
	}
	w.feed.progress.advanced(p.Tenant, w.subscription, last)
	if len(p.Events) == w.limit(at) || at.failures > 0 {
		return lookNow, nil
	}
	return lookOnNews, nil
}

// failed records why a page wasn't handled. A page of several events comes
// again at once, one event at a time; a single event after a growing pause.
func (w *worker) failed(ctx context.Context, p *Page, at standing, cause error) (look, error) {
	if cause == nil {
		cause = errors.New("nacked without a reason")
	}
	var pause time.Duration
	if len(p.Events) <= 1 {
		pause = retryDelay(at.failures)
	}
	w.feed.log.Error("page failed", "subscription", w.subscription, "tenant", p.Tenant,
		"after_seq", at.seq, "events", len(p.Events), "failures", at.failures+1, "retry_in", pause, "error", cause)
	_, err := w.feed.cfg.Pool.Exec(ctx, failSQL, p.Tenant.UUID(), w.subscription, p.Generation, at.seq,
		cause.Error(), pause.Seconds())
	if err != nil {
		return lookLater, fmt.Errorf("record failure: %w", err)
	}
	if pause > 0 {
		return lookOnNews, nil // the sweep finds it when it is due
	}
	return lookNow, nil
}

// retryDelay is 1 s, doubled with each failure, at most 5 minutes.
func retryDelay(failures int) time.Duration {
	const most = 5 * time.Minute
	if failures > 8 {
		return most
	}
	return min(time.Second<<failures, most)
}

// giveUp rolls back and gives the connection back.
func (w *worker) giveUp(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	_ = tx.Rollback(ctx) // a connection that can't roll back is thrown away by the pool
	conn.Release()
}

// querier is a pool, connection or transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// readPage reads events up to the first that this version doesn't know, and
// says domain.ErrUnknownEvent if there is one.
func readPage(ctx context.Context, q querier, t domain.TenantID, after int64, limit int) ([]domain.Recorded, error) {
	rows, err := q.Query(ctx, pageSQL, t.UUID(), after, limit)
	if err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}
	defer rows.Close()
	var events []domain.Recorded
	for rows.Next() {
		r, err := Scan(rows)
		if err != nil {
			return events, err
		}
		events = append(events, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}
	return events, nil
}
