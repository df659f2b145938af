package feed

import (
	"errors"

	"docket/domain"
	"docket/eventstore"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// refused reports whether a page's statements failed because of what they are, and not
// because of the connection or the server.
func refused(err error) bool {
	var (
		answered *pgconn.PgError
		unsent   pgx.ErrPreprocessingBatch // the driver couldn't encode an argument
	)
	switch {
	case errors.As(err, &answered):
		return answered.SeverityUnlocalized == "ERROR"
	case errors.As(err, &unsent):
		return !eventstore.Outage(err)
	}
	return errors.Is(err, pgx.ErrTxClosed) || errors.Is(err, errPanicked)
}

// unreadable reports whether a statement failed because of the data that it read, such as a
// damaged page of a table, and not because of the connection or the server.
func unreadable(err error) bool { return refused(err) && !eventstore.Outage(err) }

// leftMost is the most tenants that bisect leaves out. If more fail, the reason is another.
const leftMost = 16

// bisect calls ask with some tenants together. If data of one of them is unreadable, it
// calls ask with ever smaller parts, until all others are asked about without it. It returns
// the tenants that it left out: leftMost at most, and never all.
func bisect(tenants []domain.TenantID, ask func([]domain.TenantID) error) (left []domain.TenantID, err error) {
	cause := ask(tenants)
	if !unreadable(cause) {
		return nil, cause
	}
	for todo := [][]domain.TenantID{tenants}; len(todo) > 0; {
		// ask failed for each of the sets in todo.
		some := todo[0]
		todo = todo[1:]
		if len(some) == 1 {
			left = append(left, some[0])
			continue
		}
		for _, half := range [][]domain.TenantID{some[:len(some)/2], some[len(some)/2:]} {
			if err := ask(half); unreadable(err) {
				todo = append(todo, half)
			} else if err != nil {
				return nil, err
			}
		}
		if len(left)+len(todo) > leftMost { // each set in todo has at least one unreadable tenant
			return nil, cause
		}
	}
	if len(left) == len(tenants) {
		return nil, cause
	}
	return left, nil
}
