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

// unreachable are the codes, or classes of codes, by which a server says that
// it, and not the statement, is why a read failed.
var unreachable = []string{
	"08",    // the connection broke
	"53",    // out of connections, memory or disk
	"57P",   // shutting down, starting up
	"25006", // read-only: a standby
}

// Unreachable gives the failure of a read domain.CodeOverloaded where Postgres
// can't be reached or can't serve now; every other error, nil too, it returns as
// it is. It is for reads only: of a write it would promise that nothing was done.
func Unreachable(err error) error {
	var coded *domain.Error
	if err == nil || errors.As(err, &coded) || errors.Is(err, context.Canceled) || !Outage(err) {
		return err
	}
	return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOverloaded, "the database can't be reached; try again in a moment"), err)
}

// Outage reports whether Postgres couldn't be reached, or couldn't serve, when it failed.
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
