package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"docket/domain"

	"github.com/jackc/pgx/v5/pgconn"
)

// unreachable are SQLSTATEs, or classes of them, with which a read fails because of
// the server, not of the statement.
var unreachable = []string{
	"08",    // the connection broke
	"53",    // out of connections, memory or disk
	"57P",   // shutting down, starting up
	"25006", // read-only: a standby
}

// Unreachable wraps the error of a read with domain.CodeOverloaded where Postgres
// can't be reached or can't serve now, and returns every other error, nil too, as
// it is. It is for reads only: the code says that nothing was done.
func Unreachable(err error) error {
	var coded *domain.Error
	if err == nil || errors.As(err, &coded) || errors.Is(err, context.Canceled) || !Outage(err) {
		return err
	}
	return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOverloaded, "the database can't be reached; try again in a moment"), err)
}

// Unacknowledged is Unreachable for a write outside of the log: where the write may have
// been carried out although its answer is missing, the code is domain.CodeOutcomeUnknown.
func Unacknowledged(err error) error {
	var coded *domain.Error
	if err == nil || errors.As(err, &coded) || errors.Is(err, context.Canceled) {
		return err
	}
	var dialled *pgconn.ConnectError
	switch known := outcome(err); {
	case errors.As(err, &dialled):
		return Unreachable(err)
	case errors.Is(known, ErrOutcomeUnknown):
		return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOutcomeUnknown,
			"the connection to the database broke; the request may have been carried out; repeat it in a moment"), err)
	case errors.Is(known, ErrUnavailable):
		return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOverloaded, "the database can't be reached; try again in a moment"), err)
	}
	return err
}

// Outage reports whether an error means that Postgres couldn't be reached or couldn't serve.
func Outage(err error) bool {
	var (
		answered *pgconn.PgError
		dialled  *pgconn.ConnectError
		network  net.Error
	)
	switch {
	case errors.As(err, &answered):
		return slices.ContainsFunc(unreachable, func(code string) bool { return strings.HasPrefix(answered.Code, code) })
	case errors.As(err, &dialled), errors.As(err, &network), pgconn.SafeToRetry(err):
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
