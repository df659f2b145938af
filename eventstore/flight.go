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

// How long a flight waits for the locks of its tenants, in ms. Other replicas hold
// one for some milliseconds; one that is held for longer must not keep the other
// tenants in the batch. One that goes alone waits as long as the engine's sessions
// do (internal/postgres).
const (
	flightPatience int32 = 100
	alonePatience  int32 = 5_000
)

// appendSQL is the one statement of the append path; migrations/0002_events.sql
// says what the parameters are and what comes back.
const appendSQL = `select heads, times, refused, refusals, refused_at, refused_version
from append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
            $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39)`

// fly carries a flight, and lets others start when it has landed.
func (s *Store) fly(f *flight) {
	var found landing
	defer func() {
		if r := recover(); r != nil {
			// A mistake of ours. Those who wait are told, and the queue goes on.
			f.fail(fmt.Errorf("%w: panic: %v\n%s", ErrOutcomeUnknown, r, debug.Stack()))
		}
		// Those who were just answered may have more to append: they come first, so that
		// the next flight carries them together.
		if len(f.commits) > 1 {
			runtime.Gosched()
		}
		s.queue.land(f, found)
		for next := s.queue.next(); next != nil; next = s.queue.next() {
			go s.fly(next)
		}
	}()
	found = s.carry(f)
}

// carry sends a flight's batch and answers those who wait for it.
func (s *Store) carry(f *flight) landing {
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	found := landing{moved: map[streamKey]int{}}
	conn, err := s.engine.Acquire(ctx)
	if err != nil {
		f.fail(fmt.Errorf("%w: %w", ErrUnavailable, err))
		found.failed = true
		return found
	}
	defer conn.Release()
	s.metrics.boarded(f)
	patience := flightPatience
	if f.alone {
		patience = alonePatience
	}
	todo := []*batch{f.batch}
	for len(todo) > 0 {
		b := todo[0]
		todo = todo[1:]
		start := time.Now()
		r, err := send(conn.Conn(), b, patience)
		s.metrics.called(b, start)
		switch {
		case err == nil:
			s.settle(b, r, found.moved)
		case locked(err) && !f.alone:
			s.metrics.lockedOut.Inc()
			found.locked = s.lockedOf(ctx, conn.Conn(), f)
			left := b.commits
			for _, b := range todo {
				left = append(left, b.commits...)
			}
			s.queue.again(f, left)
			return found
		case len(b.commits) > 1 && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrUnavailable):
			// Something in it can't be written. That is one Commit's fault, not all its companions'.
			s.metrics.splits.Inc()
			halves := b.halves()
			todo = append(halves[:], todo...)
		default:
			found.failed = found.failed || locked(err)
			b.fail(err)
		}
		if conn.Conn().IsClosed() {
			for _, b := range todo {
				b.fail(fmt.Errorf("%w: the connection broke", ErrUnavailable))
			}
			return found
		}
	}
	return found
}

// freeSQL locks, until its end, those of some logs ($1) whose rows nobody holds.
const freeSQL = `select tenant_id from tenant_logs where tenant_id = any ($1) for no key update skip locked`

// lockedOf are the logs of a flight that somebody holds now. Where it can't be
// asked, none: the next flight will find out.
func (s *Store) lockedOf(ctx context.Context, conn *pgx.Conn, f *flight) []domain.TenantID {
	locked := maps.Clone(f.tenants)
	asked := make([]uuid.UUID, 0, len(locked))
	for t := range locked {
		asked = append(asked, t.UUID())
	}
	rows, err := conn.Query(ctx, freeSQL, asked)
	if err != nil {
		return nil
	}
	free, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil
	}
	for _, t := range free {
		delete(locked, domain.TenantID(t))
	}
	return slices.Collect(maps.Keys(locked))
}

// send runs the append function. Its errors are those of outcome.
func send(conn *pgx.Conn, b *batch, patience int32) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	if b.lone() {
		return sendLone(ctx, conn, b, patience)
	}
	var r result
	err := conn.QueryRow(ctx, appendSQL, b.arguments(patience).list()...).
		Scan(&r.Heads, &r.Times, &r.Refused, &r.Refusals, &r.RefusedAt, &r.RefusedVersion)
	if len(b.commits) == 1 && sameTenantAtOnce(err) {
		return r, &TenantError{Tenant: b.commits[0].commit.NewTenants[0]}
	}
	return r, outcome(err)
}

// settle answers those whose Commits came through or were refused, after the feed
// has heard of the news.
func (s *Store) settle(b *batch, r result, moved map[streamKey]int) {
	outcomes := b.settle(r)
	var grown []*encoded
	for i, w := range b.commits {
		if outcomes[i] != nil {
			continue
		}
		grown = append(grown, w.encoded)
		for _, p := range w.commit.Parts {
			moved[streamKey{p.Tenant, p.Stream.ID}] = p.Expected + len(p.Events)
		}
	}
	s.feed.appended(grown)
	for i, w := range b.commits {
		w.answer <- outcomes[i]
	}
}

// fail answers all of a batch with one error, but those that have an answer.
func (b *batch) fail(err error) {
	for _, w := range b.commits {
		select {
		case w.answer <- err:
		default:
		}
	}
}
