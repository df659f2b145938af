package eventstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// AppendIn calls the append function inside a transaction, which Append never does.
func AppendIn(ctx context.Context, tx pgx.Tx, c Commit) error {
	e, err := encode(c)
	if err != nil {
		return err
	}
	b := newBatch()
	b.add(&queued{encoded: e})
	r, err := send(tx.Conn(), b, aloneLockTimeout)
	if err != nil {
		return err
	}
	return b.outcomes(r)[0]
}

// Outcome is what became of one Commit of a batch.
type Outcome struct {
	Appended Appended
	Err      error
}

// CallEach is one call of the append function with a batch of these Commits.
func (s *Store) CallEach(ctx context.Context, commits []Commit) ([]Outcome, error) {
	b := newBatch()
	for _, c := range commits {
		e, err := encode(c)
		if err != nil {
			return nil, err
		}
		if !b.add(&queued{encoded: e}) {
			return nil, errors.New("the Commits aren't independent")
		}
	}
	conn, err := s.engine.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	r, err := send(conn.Conn(), b, batchLockTimeout)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(commits))
	for i, err := range b.outcomes(r) {
		outcomes[i].Appended, outcomes[i].Err = b.commits[i].appended(err)
	}
	return outcomes, nil
}

// Batches are the batches in which the queue would send these Commits if all of them
// waited, as indexes of the Commits. Where completes, each batch moves the streams
// that it writes.
func Batches(commits []Commit, completes bool) ([][]int, error) {
	q := newQueue()
	q.inFlight = maxInFlight // so that no batch is dispatched
	numbers := map[*queued]int{}
	for i, c := range commits {
		e, err := encode(c)
		if err != nil {
			return nil, err
		}
		w := &queued{encoded: e, outcome: make(chan error, 1)}
		numbers[w] = i
		if _, err := q.enqueue(w); err != nil {
			return nil, err
		}
	}
	q.inFlight = maxInFlight - 1
	var all [][]int
	for f := q.next(); f != nil; f = q.next() {
		var batch []int
		moved := map[streamKey]int{}
		for _, w := range f.commits {
			batch = append(batch, numbers[w])
			for _, p := range w.commit.Parts {
				moved[streamKey{p.Tenant, p.Stream.ID}] = p.Expected + len(p.Events)
			}
		}
		all = append(all, batch)
		if !completes {
			moved = nil
		}
		q.complete(f, completion{moved: moved})
	}
	return all, nil
}

// The queue's bounds.
const (
	QueueSizeTenant  = queueSizeTenant
	QueueBytesTenant = queueBytesTenant
	BatchCommits     = batchCommits
	BatchBytes       = batchBytes
	MaxInFlight      = maxInFlight
)

// Hold keeps everything from leaving until release.
func (s *Store) Hold() (release func()) {
	q := s.queue
	q.mu.Lock()
	q.inFlight += maxInFlight
	q.mu.Unlock()
	return func() {
		q.mu.Lock()
		q.inFlight -= maxInFlight
		q.mu.Unlock()
		for f := q.next(); f != nil; f = q.next() {
			go s.dispatch(f)
		}
	}
}

// Enqueue puts a Commit into the queue, which Hold must keep from dispatching.
func (s *Store) Enqueue(c Commit) (outcome <-chan error, err error) {
	e, err := encode(c)
	if err != nil {
		return nil, err
	}
	w := &queued{encoded: e, outcome: make(chan error, 1), enqueuedAt: time.Now()}
	f, err := s.queue.enqueue(w)
	if f != nil {
		return nil, errors.New("the queue isn't held")
	}
	return w.outcome, err
}

// InFlight is the number of batches in flight.
func (s *Store) InFlight() int { _, n := s.queue.load(); return n }

// BreakFollower makes every completion of this Store panic.
func (s *Store) BreakFollower() { s.follower = panicking{} }

// MendFollower ends BreakFollower.
func (s *Store) MendFollower() { s.follower = nil }

type panicking struct{}

func (panicking) Appended([]domain.Recorded, []int) { panic("a follower's bug") }
func (panicking) Grew([]domain.TenantID)            { panic("a follower's bug") }

// The functions that Decide calls.
const (
	AppendBatch  = "append_batch"
	AppendBefore = "append" // of the release before, which older replicas call
)

// beforeSQL is appendSQL of the release before.
const beforeSQL = `select heads, times, refused, refusals, refused_at, refused_version
from append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
            $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39)`

// before is list for beforeSQL.
func (a *arguments) before() []any {
	return []any{
		a.commits, a.lockTimeout, a.tenants,
		a.newCommit, a.newTenant,
		a.streamTenant, a.streamType, a.stream,
		a.checkCommit, a.checkStream, a.checkVersion,
		a.claimCommit, a.claimTenant, a.claimKind, a.claimValue,
		a.claimHolder, a.claimRelease,
		a.keyCommit, a.keyTenant, a.keyHash, a.keyFingerprint, a.keyCommand,
		a.keySeq, a.keyStreamTenant, a.keyStreamType, a.keyStream,
		a.keyVersion, a.keyAside, a.keyRefusal,
		a.eventCommit, a.eventTenant, a.eventStream, a.eventVersion, a.eventType,
		a.eventSchema, a.eventActor, a.eventCommand, a.eventData, a.eventMeta,
	}
}

// Decide calls an append function inside a transaction with as many of these Commits
// as are independent, and with pad more streams that no Commit uses: with more than 16
// the function of the release before works set by set.
func Decide(ctx context.Context, tx pgx.Tx, function string, commits []Commit, pad int) (out string, n int, err error) {
	b := newBatch()
	for _, c := range commits {
		e, err := encode(c)
		if err != nil {
			return "", 0, err
		}
		b.add(&queued{encoded: e})
	}
	a := b.arguments(aloneLockTimeout)
	for range pad {
		a.streamTenant, a.streamType, a.stream = append(a.streamTenant, 1), append(a.streamType, "task"), append(a.stream, idOf(uuid.New()))
		a.streamVersion = append(a.streamVersion, 0)
	}
	sql, list := appendSQL, a.list()
	if function == AppendBefore {
		sql, list = beforeSQL, a.before()
	}
	var r result
	err = tx.QueryRow(ctx, sql, list...).Scan(&r.Heads, &r.Times, &r.Refused, &r.Refusals, &r.RefusedAt, &r.RefusedVersion)
	if err != nil {
		return "", len(b.commits), err
	}
	var refusals []string
	for i, v := range r.RefusedVersion {
		refusals = append(refusals, fmt.Sprint(r.Refused[i], r.Refusals[i], r.RefusedAt[i], *v, ";"))
	}
	slices.Sort(refusals)
	out = strings.Join(refusals, "")
	outcomes := b.outcomes(r)
	out += fmt.Sprint(len(r.Times), r.Heads, outcomes)
	for i, w := range b.commits {
		if outcomes[i] == nil {
			for _, e := range w.events {
				var at time.Time
				if err := tx.QueryRow(ctx, `select occurred_at from events where tenant_id = $1 and seq = $2`, e.Tenant.UUID(), e.Seq).Scan(&at); err != nil {
					return "", 0, fmt.Errorf("event %d of %s: %w", e.Seq, e.Tenant, err)
				}
				if !at.Equal(e.At) {
					out += fmt.Sprint("returned ", e.At, ", written ", at)
				}
			}
		}
	}
	return out, len(b.commits), nil
}

// ScanBinary is Scan without the driver's help; ok is false where that is needed.
func ScanBinary(row pgx.CollectableRow) (r domain.Recorded, ok bool, err error) {
	s, ok := scanBinary(row)
	if !ok {
		return r, false, nil
	}
	r, err = s.decode()
	return r, true, err
}

// Rows runs a query as the engine.
func (s *Store) Rows(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return s.engine.Query(ctx, sql, args...)
}
