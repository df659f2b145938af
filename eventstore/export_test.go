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
func (f *Feed) News(tenants []domain.TenantID) { f.news(tenants) }

// Call is one call of the append function with a batch of these Commits.
func (s *Store) Call(ctx context.Context, commits []Commit) error {
	b := newBatch()
	for _, c := range commits {
		e, err := encode(c)
		if err != nil {
			return err
		}
		if !b.add(&waiting{encoded: e}) {
			return errors.New("the Commits aren't independent")
		}
	}
	conn, err := s.engine.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	r, err := send(conn.Conn(), b, &flightPatience)
	if err != nil {
		return err
	}
	return errors.Join(b.settle(r)...)
}
