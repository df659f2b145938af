package eventstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Lock timeouts of the append function, in ms. Other replicas hold a tenant's lock
// for some milliseconds; a lock held for longer must not delay the other tenants in
// the batch. A Commit that is sent alone waits as long as the engine's sessions do
// (internal/postgres).
const (
	batchLockTimeout int32 = 100
	aloneLockTimeout int32 = 5_000
)

// appendSQL appends a batch; migrations/0017_append_batch.sql explains the parameters
// and the result.
const appendSQL = `select heads, times, refused, refusals, refused_at, refused_version
from append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
            $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43)`

// dispatch sends a batch, delivers its outcomes, and then starts the batches that
// can be sent next.
func (s *Store) dispatch(f *inFlightBatch) {
	var done completion
	defer func() {
		if r := recover(); r != nil {
			// A bug: the callers get an error, and the queue continues.
			f.fail(fmt.Errorf("%w: panic: %v\n%s", ErrOutcomeUnknown, r, debug.Stack()))
		}
		// The callers just answered may append again at once: they run first, so that
		// the next batch has the Commits of all of them.
		if len(f.commits) > 1 {
			runtime.Gosched()
		}
		s.queue.complete(f, done)
		for next := s.queue.next(); next != nil; next = s.queue.next() {
			go s.dispatch(next)
		}
	}()
	done = s.execute(f)
}

// execute calls the append function and delivers the outcomes. If Postgres rejects a batch,
// it splits the batch and tries again.
func (s *Store) execute(f *inFlightBatch) completion {
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	done := completion{moved: map[streamKey]int{}}
	conn, err := s.engine.Acquire(ctx)
	if err != nil {
		f.fail(fmt.Errorf("%w: %w", ErrUnavailable, err))
		done.failed = true
		return done
	}
	defer conn.Release()
	server := s.ServerNumber()
	if slices.ContainsFunc(f.commits, func(w *queued) bool { return w.commit.ServerNumber != 0 && w.commit.ServerNumber != server }) {
		f.batch = s.refuseOtherServer(f.batch)
	}
	s.metrics.dispatched(f)
	lockTimeout := batchLockTimeout
	if f.alone {
		lockTimeout = aloneLockTimeout
	}
	todo := []*batch{f.batch}
	for len(todo) > 0 {
		b := todo[0]
		todo = todo[1:]
		if len(b.commits) == 0 {
			continue
		}
		start := time.Now()
		r, err := send(conn.Conn(), b, lockTimeout)
		s.metrics.called(b, start)
		switch {
		case err == nil:
			s.deliverOutcomes(b, r, server, done.moved)
		case locked(err) && !f.alone:
			s.metrics.lockedOut.Inc()
			done.locked = s.lockedTenants(ctx, conn.Conn(), f)
			left := b.commits
			for _, b := range todo {
				left = append(left, b.commits...)
			}
			s.queue.requeue(f, left)
			return done
		case len(b.commits) > 1 && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrUnavailable):
			// Postgres rejects some Commit of the batch. The others must not fail with it.
			s.metrics.splits.Inc()
			parts := b.split()
			todo = append(parts[:], todo...)
		default:
			done.failed = done.failed || locked(err)
			b.fail(err)
		}
		if conn.Conn().IsClosed() {
			for _, b := range todo {
				b.fail(fmt.Errorf("%w: the connection broke", ErrUnavailable))
			}
			return done
		}
	}
	return done
}

// unlockedSQL finds those of some logs ($1) whose rows no other session has locked, and
// all that exist.
const unlockedSQL = `with unlocked as (
  select tenant_id from tenant_logs where tenant_id = any ($1) for no key update skip locked)
select tenant_id, tenant_id in (select tenant_id from unlocked) from tenant_logs where tenant_id = any ($1)`

// lockedTenants are the logs of a batch that another session has locked now. If there are
// none, another session is creating one of those that don't exist yet, so they count as
// locked. It is empty where the query fails: the next batch finds out.
func (s *Store) lockedTenants(ctx context.Context, conn *pgx.Conn, f *inFlightBatch) []domain.TenantID {
	missing := maps.Clone(f.tenants)
	all := make([]uuid.UUID, 0, len(missing))
	for t := range missing {
		all = append(all, t.UUID())
	}
	rows, err := conn.Query(ctx, unlockedSQL, all)
	if err != nil {
		return nil
	}
	var (
		locked []domain.TenantID
		tenant uuid.UUID
		free   bool
	)
	_, err = pgx.ForEachRow(rows, []any{&tenant, &free}, func() error {
		delete(missing, domain.TenantID(tenant))
		if !free {
			locked = append(locked, domain.TenantID(tenant))
		}
		return nil
	})
	switch {
	case err != nil:
		return nil
	case len(locked) == 0:
		return slices.Collect(maps.Keys(missing))
	}
	return locked
}

// send runs the append function. Its errors are those of outcome.
func send(conn *pgx.Conn, b *batch, lockTimeout int32) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	if b.single() {
		return sendSingle(ctx, conn, b, lockTimeout)
	}
	var r result
	err := conn.QueryRow(ctx, appendSQL, b.arguments(lockTimeout).list()...).
		Scan(&r.Heads, &r.Times, &r.Refused, &r.Refusals, &r.RefusedAt, &r.RefusedVersion)
	if len(b.commits) == 1 && tenantExists(err) {
		return r, &TenantError{Tenant: b.commits[0].commit.NewTenants[0]}
	}
	return r, outcome(err)
}

// deliverOutcomes gives every Commit of a batch its outcome, after the follower was
// notified of the new events.
func (s *Store) deliverOutcomes(b *batch, r result, server ServerNumber, moved map[streamKey]int) {
	outcomes := b.outcomes(r)
	var (
		accepted []domain.Recorded
		sizes    []int
	)
	for i, w := range b.commits {
		if outcomes[i] != nil {
			continue
		}
		accepted = append(accepted, w.events...)
		sizes = append(sizes, w.sizes...)
		for _, p := range w.commit.Parts {
			moved[streamKey{p.Tenant, p.Stream.ID}] = p.Expected + len(p.Events)
		}
	}
	s.notify(server, slices.Collect(maps.Keys(b.tenants)), accepted, sizes)
	for i, w := range b.commits {
		w.outcome <- outcomes[i]
	}
}

// fail gives one error to every Commit of a batch that has no outcome yet.
func (b *batch) fail(err error) {
	for _, w := range b.commits {
		select {
		case w.outcome <- err:
		default:
		}
	}
}
