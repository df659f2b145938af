package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// flightPatience is how long a flight waits for the locks of its tenants, in ms.
// Other replicas hold one for some milliseconds; one that is held for longer must
// not keep the other tenants in the batch.
var flightPatience int32 = 100

// appendSQL is the one statement of the append path; migrations/0002_events.sql
// says what the parameters are and what comes back.
const appendSQL = `select heads, times, refused, refusals, refused_at, refused_version
from append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
            $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38)`

// fly carries a flight, and lets others start when it has landed.
func (s *Store) fly(f *flight) {
	moved, held := s.carry(f)
	s.queue.land(f, moved, held)
	for next := s.queue.next(); next != nil; next = s.queue.next() {
		go s.fly(next)
	}
}

// carry sends a flight's batch and answers those who wait for it. moved is what
// it did to streams; held says that a log was locked: its Commits wait again.
func (s *Store) carry(f *flight) (moved map[streamKey]int, held bool) {
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	conn, err := s.engine.Acquire(ctx)
	if err != nil {
		f.fail(fmt.Errorf("%w: %w", ErrUnavailable, err))
		return nil, f.alone
	}
	defer conn.Release()
	s.metrics.boarded(f)
	patience := &flightPatience
	if f.alone {
		patience = nil
	}
	moved = map[streamKey]int{}
	todo := []*batch{f.batch}
	for len(todo) > 0 {
		b := todo[0]
		todo = todo[1:]
		start := time.Now()
		r, err := send(conn.Conn(), b, patience)
		s.metrics.called(b, start)
		switch {
		case err == nil:
			s.land(b, b.settle(r), moved)
		case locked(err) && !f.alone:
			f.commits = b.commits
			for _, b := range todo {
				f.commits = append(f.commits, b.commits...)
			}
			s.metrics.lockedOut.Inc()
			s.queue.again(f)
			return moved, true
		case len(b.commits) > 1 && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrUnavailable):
			// Something in it can't be written. That is one Commit's fault, not all its companions'.
			s.metrics.splits.Inc()
			halves := b.halves()
			todo = append(halves[:], todo...)
		default:
			b.fail(err)
		}
		if conn.Conn().IsClosed() {
			for _, b := range todo {
				b.fail(fmt.Errorf("%w: the connection broke", ErrUnavailable))
			}
			return moved, false
		}
	}
	return moved, false
}

// send runs the append function. Its errors are those of outcome.
func send(conn *pgx.Conn, b *batch, patience *int32) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	var r result
	err := conn.QueryRow(ctx, appendSQL, b.arguments(patience).list()...).
		Scan(&r.Heads, &r.Times, &r.Refused, &r.Refusals, &r.RefusedAt, &r.RefusedVersion)
	if len(b.commits) == 1 && sameTenantAtOnce(err) {
		return r, &TenantError{Tenant: b.commits[0].commit.NewTenants[0]}
	}
	return r, outcome(err)
}

// land answers those whose Commits came through or were refused, after the feed
// has heard of the news.
func (s *Store) land(b *batch, outcomes []error, moved map[streamKey]int) {
	var grown []domain.TenantID
	var events []domain.Recorded
	seen := map[domain.TenantID]bool{}
	for i, w := range b.commits {
		if outcomes[i] != nil {
			continue
		}
		events = append(events, w.events...)
		for _, p := range w.commit.Parts {
			moved[streamKey{p.Tenant, p.Stream.ID}] = p.Expected + len(p.Events)
			if !seen[p.Tenant] {
				seen[p.Tenant] = true
				grown = append(grown, p.Tenant)
			}
		}
	}
	s.feed.appended(grown, events)
	for i, w := range b.commits {
		w.answer <- outcomes[i]
	}
}

// fail answers all of a batch with one error.
func (b *batch) fail(err error) {
	for _, w := range b.commits {
		w.answer <- err
	}
}
