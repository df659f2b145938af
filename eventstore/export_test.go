package eventstore

import (
	"context"
	"errors"

	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// AppendIn calls the append function inside a transaction, which Append never does.
func AppendIn(ctx context.Context, tx pgx.Tx, c Commit) error {
	e, err := encode(c)
	if err != nil {
		return err
	}
	b := newBatch()
	b.add(&waiting{encoded: e})
	r, err := send(tx.Conn(), b, nil)
	if err != nil {
		return err
	}
	return b.settle(r)[0]
}

// RetryDelay is the pause before a failed event is tried again.
var RetryDelay = retryDelay

// News tells the Feed of appends that no Store of its own has made.
func (f *Feed) News(tenants []domain.TenantID) {
	f.mark(tenants)
	f.outbox.mark(tenants...)
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
		if !b.add(&waiting{encoded: e}) {
			return nil, errors.New("the Commits aren't independent")
		}
	}
	conn, err := s.engine.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	r, err := send(conn.Conn(), b, &flightPatience)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(commits))
	for i, err := range b.settle(r) {
		outcomes[i].Appended, outcomes[i].Err = b.commits[i].appended(err)
	}
	return outcomes, nil
}

// Batches are the batches that these Commits would be carried in, one after the
// other, had they all waited: the numbers of the Commits.
func Batches(commits []Commit) ([][]int, error) {
	q := newQueue()
	q.flying = flights // all under way, so that nothing leaves
	numbers := map[*waiting]int{}
	for i, c := range commits {
		e, err := encode(c)
		if err != nil {
			return nil, err
		}
		w := &waiting{encoded: e, answer: make(chan error, 1)}
		numbers[w] = i
		if _, err := q.enter(w); err != nil {
			return nil, err
		}
	}
	q.flying = flights - 1
	var all [][]int
	for f := q.next(); f != nil; f = q.next() {
		var batch []int
		for _, w := range f.commits {
			batch = append(batch, numbers[w])
		}
		all = append(all, batch)
		q.land(f, nil, false)
	}
	return all, nil
}

// The queue's bounds.
const (
	QueueSizeTenant = queueSizeTenant
	BatchCommits    = batchCommits
	Flights         = flights
)
