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
// the server, not of the statement. A server that refuses a new session is out with
// any code: 28 a login, 3D000 a database that isn't there, 42501 and 22023 a role.
var unreachable = []string{
	"08",         // the connection broke
	"28",         // the login is refused
	"3D000",      // there is no such database
	"53",         // out of connections, memory or disk
	"57P",        // shutting down, starting up, the database was dropped
	codeReadOnly, // read-only: a standby, or set so
}

// lacksGrant reports whether Postgres refused a statement for want of a right. Tests run
// every statement under the roles and grants of the migrations, so a right that is missing
// was taken away, or not restored: the operator's to repair. Row-level security and the
// trigger of the log refuse with the same code (42501), but they mean a defect of this
// program. The name of the server's function tells them apart: unlike the message, it is
// never translated.
func lacksGrant(e *pgconn.PgError) bool {
	return e.Code == codeInsufficientPrivilege && strings.HasPrefix(e.Routine, "aclcheck_error")
}

// Details of an outage, for clients.
const (
	detailAway     = "the database can't be reached; nothing was done; try again in a moment"
	detailRefused  = "the database refuses this server; nothing was done; try again later"
	detailReadOnly = "the database is read-only at the moment; nothing was done; try again in a moment"
	detailBusy     = "the database is busy; nothing was done; try again in a moment"
	detailFull     = "too many writes wait; nothing was done; try again in a moment"
)

// OutageDetail is what a client may know of the cause of ErrUnavailable, or of an error that
// is an Outage.
func OutageDetail(err error) string {
	var e *pgconn.PgError
	switch {
	case errors.Is(err, ErrOverloaded):
		return detailFull
	case !errors.As(err, &e) && Outage(err):
		return detailAway
	case e == nil:
		return detailBusy
	case strings.HasPrefix(e.Code, "28"), strings.HasPrefix(e.Code, "3D"), e.Code == codeInsufficientPrivilege:
		return detailRefused
	case e.Code == codeReadOnly:
		return detailReadOnly
	case Outage(err):
		return detailAway
	}
	return detailBusy
}

// Unreachable wraps the error of a read with domain.CodeOverloaded where Postgres
// can't be reached, refuses the login or a right, or can't serve now, and returns every other error, nil too, as
// it is. It is for reads only: the code says that nothing was done.
func Unreachable(err error) error {
	var coded *domain.Error
	if err == nil || errors.As(err, &coded) || errors.Is(err, context.Canceled) || !Outage(err) {
		return err
	}
	return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOverloaded, "%s", OutageDetail(err)), err)
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
		return fmt.Errorf("%w: %w", domain.Refuse(domain.CodeOverloaded, "%s", OutageDetail(err)), err)
	}
	return err
}

// Outage reports whether an error means that Postgres couldn't be reached, or serves
// no login, or not this one.
func Outage(err error) bool {
	var (
		answered *pgconn.PgError
		dialled  *pgconn.ConnectError
		network  net.Error
	)
	switch {
	case errors.As(err, &dialled):
		return true
	case errors.As(err, &answered) && lacksGrant(answered):
		return true
	case answered != nil:
		return slices.ContainsFunc(unreachable, func(code string) bool { return strings.HasPrefix(answered.Code, code) })
	case errors.As(err, &network), pgconn.SafeToRetry(err):
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
