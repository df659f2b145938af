package feed

import (
	"errors"

	"docket/domain"
	"docket/eventstore"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// refused reports whether a page's statements, and not the connection or the server, are
// why they weren't carried out.
func refused(err error) bool {
	var (
		answered *pgconn.PgError
		unsent   pgx.ErrPreprocessingBatch // by the driver, which couldn't make sense of it
	)
	switch {
	case errors.As(err, &answered):
		return answered.SeverityUnlocalized == "ERROR"
	case errors.As(err, &unsent):
		return !eventstore.Outage(err)
	}
	return errors.Is(err, pgx.ErrTxClosed) || errors.Is(err, errPanicked)
}

// unreadable reports whether what a statement looked at is why it failed, as where a page
// of a table is damaged: neither the connection nor the server.
func unreadable(err error) bool { return refused(err) && !eventstore.Outage(err) }

// leftMost is how many tenants byHalves leaves at most. Where there are more it isn't they.
const leftMost = 16

// byHalves asks about some tenants together, and where something of one of them is
// unreadable, about the others without it. It returns those that were left: not all, and
// leftMost at most.
func byHalves(tenants []domain.TenantID, ask func([]domain.TenantID) error) (left []domain.TenantID, err error) {
	cause := ask(tenants)
	if !unreadable(cause) {
		return nil, cause
	}
	for todo := [][]domain.TenantID{tenants}; len(todo) > 0; {
		// What is in todo couldn't be asked about together.
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
		if len(left)+len(todo) > leftMost { // each has one at least
			return nil, cause
		}
	}
	if len(left) == len(tenants) {
		return nil, cause
	}
	return left, nil
}
