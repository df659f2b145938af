package feed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pageSettingsSQL sets two parameters for the transaction of a page.
//
// Its commit may return before it is on disk. The page's writes and its checkpoint are
// lost together or not at all. A commit that does wait for the disk, such as that of an
// append or of a delivery's claim, waits for all commits before it.
//
// Its statements use generic plans. Postgres takes a custom plan for cheaper where rows
// are looked up by one key, so it planned each time, which took longer than the execution.
const pageSettingsSQL = `select set_config('synchronous_commit', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`

// lockSQL locks the live checkpoint of a subscription ($1) in a tenant ($2),
// and reads its state, unless another transaction has locked it, its failed page isn't
// due, or another fold version than this ($3, null for a subscription without folds) fills
// it.
const lockSQL = `select c.seq, c.generation, c.careful_to, c.failures, c.complete from checkpoints c
where c.tenant_id = $2 and c.subscription = $1 and ($3::integer is null or coalesce(c.fold_version, 1) = $3)
  and c.generation = coalesce((select g.current from generations g where g.tenant_id = $2 and g.subscription = $1), 1)
  and (c.retry_at is null or c.retry_at <= clock_timestamp())
for no key update of c skip locked`

// liveSQL reads, without a lock, which generation of a subscription ($1) is live
// in a tenant ($2), whether it has a checkpoint, whether that waits for its
// retry, which fold version fills it (0: there is none), the last seq of the log, how
// many events it lacks to be complete, and which events after it are skipped. It runs
// after the lock: meanwhile a rebuild may have switched the generation, or an operator
// may have skipped an event. It also reads the command of the event at a seq ($3).
const liveSQL = `select live.generation, c.tenant_id is not null, coalesce(c.retry_at > clock_timestamp(), false),
  case when c.tenant_id is null then 0 else coalesce(c.fold_version, 1) end, live.head,
  case when coalesce(c.complete, ` + followedSQL + `) then 0 else live.head - coalesce(c.seq, 0) end,
  array(select s.seq from skips s where s.tenant_id = $2 and s.subscription = $1 and s.seq > coalesce(c.seq, 0) order by s.seq),
  (select e.command_id from events e where e.tenant_id = $2 and e.seq = $3)
from (select coalesce((select current from generations where tenant_id = $2 and subscription = $1), 1) as generation,
  coalesce((select e.seq from events e where e.tenant_id = $2 order by e.seq desc limit 1), 0) as head) live
left join checkpoints c on c.tenant_id = $2 and c.subscription = $1 and c.generation = live.generation`

// followedSQL is true where a tenant's ($2) log is younger than a subscription ($1): then
// the subscription has followed the log from its first event on.
const followedSQL = `not exists (select from subscriptions s where s.name = $1
  and s.since > (select e.occurred_at from events e where e.tenant_id = $2 and e.seq = 1))`

// beginCheckpointSQL creates the checkpoint of a subscription ($1) in a tenant ($2), to be
// filled by a fold version ($3, null for a subscription without folds).
const beginCheckpointSQL = `insert into checkpoints (tenant_id, subscription, generation, fold_version, complete)
select $2, $1, coalesce((select current from generations where tenant_id = $2 and subscription = $1), 1), $3::integer, ` + followedSQL + `
on conflict do nothing`

// advanceSQL moves a checkpoint ($1 tenant, $2 subscription, $3 generation) to a seq
// ($4), which may be the log's end ($5).
const advanceSQL = `update checkpoints set seq = $4, failures = 0, retry_at = null, failed_at = null, error = null,
  advanced_at = clock_timestamp(), complete = complete or $5
where tenant_id = $1 and subscription = $2 and generation = $3`

// failSQL records a failed page at a checkpoint ($1 tenant, $2 subscription, $3
// generation) that is still at the seq ($4) and has the failures ($8) that the page's lock
// read: the page's last seq ($5), the reason ($6) and the seconds until the retry ($7, 0 for
// none). The failures differ where an operator has resumed it, or another try has failed,
// since the page was rolled back.
const failSQL = `update checkpoints set careful_to = $5, failures = failures + 1, error = $6,
  failed_at = coalesce(failed_at, clock_timestamp()),
  retry_at = case when $7::float8 > 0 then clock_timestamp() + $7::float8 * interval '1 second' end
where tenant_id = $1 and subscription = $2 and generation = $3 and seq = $4 and failures = $8`

// checkpoint is the state of a live checkpoint, as lock found it.
type checkpoint struct {
	// locked says that this transaction holds it. Otherwise another one does, or it is
	// parked, or another fold version fills it.
	locked bool
	// parked says that its failed page isn't due yet.
	parked bool
	there  bool
	// foldVersion is that of the fold which fills the live generation; 0 where the tenant
	// has no checkpoint yet. missing is how many events it lacks to be complete for the
	// first time.
	foldVersion int
	missing     int64

	complete   bool
	seq        int64
	head       int64 // the log's last seq
	generation int
	carefulTo  int64
	failures   int
	skipped    skipped
}

// lock begins the page's transaction and tries to lock the checkpoint. It creates a
// missing one. On an error the transaction is over.
func (w *worker) lock(ctx context.Context, conn *pgxpool.Conn, t domain.TenantID) (pgx.Tx, checkpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	tx, at, err := w.tryLock(ctx, conn, t)
	if err != nil || at.there || w.leftToBuild(t, at) {
		return tx, at, err
	}
	// The checkpoint gets its own transaction: another replica that creates the same one
	// must not wait for this page.
	if err := tx.Rollback(ctx); err != nil {
		return nil, at, fmt.Errorf("make checkpoint: %w", err)
	}
	if _, err := conn.Exec(ctx, beginCheckpointSQL, w.subscription, t.UUID(), w.fold()); err != nil {
		return nil, at, fmt.Errorf("make checkpoint: %w", err)
	}
	return w.tryLock(ctx, conn, t)
}

func (w *worker) tryLock(ctx context.Context, conn *pgxpool.Conn, t domain.TenantID) (pgx.Tx, checkpoint, error) {
	var (
		at    checkpoint
		live  int
		found *uuid.UUID
	)
	b := &pgx.Batch{}
	b.BeginTx(pgx.TxOptions{})
	b.Queue(pageSettingsSQL)
	b.Queue(lockSQL, w.subscription, t.UUID(), w.fold()).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&at.seq, &at.generation, &at.carefulTo, &at.failures, &at.complete)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		at.locked = err == nil
		return err
	})
	remembered, ok := w.feed.recent.last(t)
	b.Queue(liveSQL, w.subscription, t.UUID(), remembered.Seq).QueryRow(func(row pgx.Row) error {
		return row.Scan(&live, &at.there, &at.parked, &at.foldVersion, &at.head, &at.missing, &at.skipped, &found)
	})
	results := conn.SendBatch(ctx, b)
	err := results.Close()
	tx := results.Tx()
	if err != nil {
		_ = tx.Rollback(context.WithoutCancel(ctx))
		return nil, checkpoint{}, fmt.Errorf("lock checkpoint: %w", err)
	}
	if ok {
		w.feed.recent.verify(remembered, found)
	}
	at.locked = at.locked && at.generation == live
	return tx, at, nil
}

// fail records why a page that ends at a seq failed. A page of several events is retried
// at once, event by event; a page of one event after a growing pause.
func (w *worker) fail(ctx context.Context, p *Page, at checkpoint, end int64, cause error) (trigger, error) {
	if cause == nil {
		cause = errors.New("nacked without a reason")
	}
	var pause time.Duration
	if end == at.seq+1 {
		pause = retryDelay(at.failures)
	}
	w.metrics.failures.Inc()
	w.feed.log.Error("page failed", "subscription", w.subscription, "tenant", p.Tenant,
		"after_seq", at.seq, "to_seq", end, "failures", at.failures+1, "retry_in", pause, "error", cause)
	tag, err := w.feed.execWithin(failSQL, p.Tenant.UUID(), w.subscription, p.Generation, at.seq,
		max(at.carefulTo, end), storable(cause), pause.Seconds(), at.failures)
	if err != nil {
		return failed, fmt.Errorf("record failure: %w", err)
	}
	if tag.RowsAffected() == 0 { // the try is older than what the checkpoint says
		return moreIsLeft, nil
	}
	if pause > 0 {
		return caughtUp, nil // the sweep finds it when it is due
	}
	return moreIsLeft, nil
}

// failureText is the most bytes of a failure's text that are stored.
const failureText = 2000

// storable is an error's text in a form that Postgres accepts: short UTF-8 without NULs.
func storable(err error) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", "\uFFFD"), "\uFFFD")
	if len(text) > failureText {
		text = strings.ToValidUTF8(text[:failureText], "") + "…"
	}
	return text
}

// carefulSQL makes a subscription handle events one by one up to a seq ($5), at a
// checkpoint ($1 tenant, $2 subscription, $3 generation) that is at the seq ($4).
const carefulSQL = `update checkpoints set careful_to = greatest(careful_to, $5)
where tenant_id = $1 and subscription = $2 and generation = $3 and seq = $4`

// notMine leaves a page to newer replicas: its handler met an event that this version
// doesn't know. It counts no failure. The events before that one are handled again, one by
// one.
func (w *worker) notMine(ctx context.Context, p *Page, at checkpoint, cause error) (trigger, error) {
	w.leftToNewer(p.Tenant, at.seq, cause)
	if p.last() == at.seq+1 {
		return caughtUp, nil
	}
	_, err := w.feed.execWithin(carefulSQL, p.Tenant.UUID(), w.subscription, p.Generation, at.seq, p.last())
	if err != nil {
		return failed, fmt.Errorf("go carefully: %w", err)
	}
	return moreIsLeft, nil
}

// leftToNewer logs that an event is left to a newer version, once for each place and seq.
func (w *worker) leftToNewer(t domain.TenantID, after int64, cause error) {
	if !w.firstReport(t, after+1) {
		return
	}
	w.metrics.unknown.Inc()
	w.feed.log.Warn("left to a newer version", "subscription", w.subscription, "tenant", t, "after_seq", after, "error", cause)
}

// firstReport reports whether a tenant's newest report of that kind is another one.
func (w *worker) firstReport(t domain.TenantID, what int64) (first bool) {
	kind := 0
	if what < 0 { // leaveTenant's
		kind = 1
	}
	w.pending.change(t, func(s *tenantState) { first, s.reported[kind] = s.reported[kind] != what, what })
	return first
}

// retryDelay is 1 s, doubled with each failure, at most 5 minutes.
func retryDelay(failures int) time.Duration {
	const most = 5 * time.Minute
	if failures > 8 {
		return most
	}
	return min(time.Second<<failures, most)
}

// Checkpoints is what queries of other packages ask of the tables generations,
// checkpoints and skips, whose SQL stands here alone. The rows of a read model have a
// generation; a tenant reads the one that the table generations names, or 1.
type Checkpoints struct{}

// Generation is the expression for the generation of a subscription's rows that a tenant
// reads. tenant is an expression for its id.
func (Checkpoints) Generation(subscription, tenant string) string {
	return `(select coalesce(max(g.current), 1) from generations g where g.tenant_id = ` + tenant + ` and g.subscription = '` + subscription + `')`
}

// NotSkipped is the condition that a seq isn't one of those that an operator had a
// subscription skip in a tenant. The arguments are expressions.
func (Checkpoints) NotSkipped(seq, tenant, subscription string) string {
	return seq + ` <> all (array(select k.seq from skips k where k.tenant_id = ` + tenant + ` and k.subscription = ` + subscription + `))`
}

// positionsSQL reads how far the live checkpoints of a tenant ($1) have come.
const positionsSQL = `select c.subscription, c.seq from checkpoints c
left join generations g on g.tenant_id = c.tenant_id and g.subscription = c.subscription
where c.tenant_id = $1 and c.generation = coalesce(g.current, 1)`

// Positions queues the query for the seq that each subscription has reached in a tenant.
// to is a new map once the batch was sent.
func (Checkpoints) Positions(b *pgx.Batch, t domain.TenantID, to *map[string]int64) {
	b.Queue(positionsSQL, t.UUID()).Query(func(rows pgx.Rows) error {
		*to = map[string]int64{}
		var (
			subscription string
			seq          int64
		)
		_, err := pgx.ForEachRow(rows, []any{&subscription, &seq}, func() error {
			(*to)[subscription] = seq
			return nil
		})
		return err
	})
}
