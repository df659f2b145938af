package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/wait"

	"github.com/jackc/pgx/v5"
)

// recoveryTimeout bounds one bringBack.
const recoveryTimeout = time.Minute

// ahead is a live checkpoint that is ahead of its log. Checkpoints and events commit
// together, so a part of the database is older than another: a restore of some tables, or a
// server that lost commits.
type ahead struct {
	tenant     domain.TenantID
	generation int
	// seq is the checkpoint's, and head the log's last.
	seq, head int64
}

// Recovery brings back what a subscription without a fold has made of events that the log
// lost, in the transaction that sets its checkpoint to the log's head.
type Recovery struct {
	// Drop deletes what came from events after head, and the state that Fold folds again.
	Drop func(ctx context.Context, tx pgx.Tx, t domain.TenantID, head int64) error
	// Ignores are the types of events that Fold doesn't use.
	Ignores []string
	// Fold gets the log up to head, page by page, and writes through the Page.
	Fold func(context.Context, *Page) error
}

// bringBackSQL sets a checkpoint ($1 tenant, $2 subscription, $3 generation) that is still at
// a seq ($4) ahead of the log to the log's head ($5). The rows of a fold ($6) count as
// outdated and incomplete from then on: no query reads them, and a build replaces them.
// $7 says why. It leaves out a locked checkpoint: a page holds it, or another replica brings
// it back.
const bringBackSQL = `update checkpoints set seq = $5, careful_to = 0, failures = 0, retry_at = null, failed_at = null,
  advanced_at = clock_timestamp(), error = case when $6 then $7 end,
  fold_version = case when $6 then -1 else fold_version end, complete = complete and not $6
where ctid = any (array(select c.ctid from checkpoints c
  where c.tenant_id = $1 and c.subscription = $2 and c.generation = $3 and c.seq = $4 for no key update skip locked))`

// stillAheadSQL reads whether a checkpoint ($1 tenant, $2 subscription, $3 generation) is at a
// seq ($4), locked or not.
const stillAheadSQL = `select exists (select from checkpoints where tenant_id = $1 and subscription = $2 and generation = $3 and seq = $4)`

// bringBackTries is how often a locked checkpoint is tried, with pauses of lookAgainAfter: a
// page holds the lock for a moment, and another replica's recovery for longer.
const bringBackTries = 40

// startBringBack runs bringBack beside the sweeps, which must not wait for it: a recovery
// may take recoveryTimeout. It does nothing while one of the subscription runs; what that one
// leaves, a later sweep finds. done is called at the end.
func (f *Feed) startBringBack(subscription string, list []ahead, done func()) {
	f.mu.Lock()
	running := f.recovering[subscription]
	f.recovering[subscription] = running || len(list) > 0
	f.mu.Unlock()
	switch {
	case running:
		return
	case len(list) == 0:
		done()
		return
	}
	f.done.Go(func() {
		f.recovery.Lock() // one at a time, so that pages have connections
		f.bringBack(subscription, list)
		f.recovery.Unlock()
		f.mu.Lock()
		delete(f.recovering, subscription)
		f.mu.Unlock()
		done()
	})
}

// bringBack brings checkpoints back to their logs' heads, before these grow past them: the
// events in between would be left out. What a later sweep finds is tried again.
func (f *Feed) bringBack(subscription string, list []ahead) {
	for _, a := range list {
		changed, locked, err := f.bringOneBack(subscription, a)
		for range bringBackTries {
			if !locked || err != nil || !wait.Sleep(f.ctx, lookAgainAfter) {
				break
			}
			changed, locked, err = f.bringOneBack(subscription, a)
		}
		log := f.log.With("subscription", subscription, "tenant", a.tenant, "seq", a.seq, "head", a.head)
		switch {
		case f.ctx.Err() != nil:
			return
		case err != nil:
			log.Error("a checkpoint is ahead of its log, and can't be brought back; it is tried again", "error", err)
		case changed && f.fold(subscription) != nil:
			log.Error("a checkpoint was ahead of its log; its rows aren't read until a build has replaced them")
		case changed:
			log.Error("a checkpoint was ahead of its log; it continues from the log's head")
		}
		if changed {
			f.switched([]domain.TenantID{a.tenant})
			f.entryOf(subscription).wake(a.tenant)
		}
	}
}

// bringOneBack reports whether it has brought a checkpoint back, and else whether that is
// locked. Neither is true where another replica has brought it back.
func (f *Feed) bringOneBack(subscription string, a ahead) (changed, locked bool, err error) {
	ctx, cancel := context.WithTimeout(f.ctx, recoveryTimeout)
	defer cancel()
	why := fmt.Sprintf("was at event %d of a log that ends at %d; a rebuild mends it", a.seq, a.head)
	err = pgx.BeginFunc(ctx, f.cfg.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, bringBackSQL, a.tenant.UUID(), subscription, a.generation, a.seq, a.head, f.fold(subscription) != nil, why)
		if changed = err == nil && tag.RowsAffected() > 0; !changed && err == nil {
			return tx.QueryRow(ctx, stillAheadSQL, a.tenant.UUID(), subscription, a.generation, a.seq).Scan(&locked)
		}
		if err != nil {
			return err
		}
		b := &pgx.Batch{}
		b.Queue(abandonBuildsSQL, a.tenant.UUID(), subscription)
		b.Queue(eventstore.ForgetLostSQL, a.tenant.UUID(), a.head)
		b.Queue(notifySQL, wakeUpChannel, switchSender+" "+a.tenant.String())
		if err := tx.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		if r, ok := f.cfg.Recoveries[subscription]; ok {
			return r.run(ctx, tx, subscription, a)
		}
		return nil
	})
	return changed && err == nil, locked, err
}

// run recovers one tenant.
func (r Recovery) run(ctx context.Context, tx pgx.Tx, subscription string, a ahead) error {
	if err := r.Drop(ctx, tx, a.tenant, a.head); err != nil {
		return err
	}
	for after := int64(0); after < a.head; {
		s, err := readRange(ctx, tx, a.tenant, after, a.head, farPage, Interest{Ignores: r.Ignores}, nil)
		if err != nil {
			return err
		}
		if s.Through == after {
			return errors.New("the log has become shorter")
		}
		after = s.Through
		if len(s.Events) == 0 {
			continue
		}
		p := &Page{Subscription: subscription, Tenant: a.tenant, Generation: a.generation, Events: s.Events, Tx: tx}
		if err := r.Fold(ctx, p); err != nil {
			return err
		}
		if err := p.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// farPage is how many events of a log a recovery reads at a time.
const farPage = 2_000
