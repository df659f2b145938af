package eventstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"docket/domain"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrOutcomeUnknown says that the connection broke after the Commit was sent: it
// may or may not have been written.
var ErrOutcomeUnknown = errors.New("outcome of the append unknown")

// ErrUnavailable says that Postgres could not be reached, refused the login or a right,
// or was too busy. Nothing was written.
var ErrUnavailable = errors.New("event store unavailable")

// ErrOverloaded says that too many Commits wait, of all tenants or of this one. It
// is an ErrUnavailable.
var ErrOverloaded = fmt.Errorf("%w: too many appends wait", ErrUnavailable)

// ConflictError says that a stream of the Commit, written or guarded, has
// another version than was expected. Nothing was written.
type ConflictError struct {
	Tenant   domain.TenantID
	Stream   domain.StreamID
	Expected int
	Actual   int
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("stream %s of tenant %s: expected version %d, found %d", e.Stream, e.Tenant, e.Expected, e.Actual)
}

// ClaimedError says that another holder has the claim. Nothing was written.
type ClaimedError struct{ Claim Claim }

func (e *ClaimedError) Error() string {
	return fmt.Sprintf("claim %s %q in tenant %s is held by another", e.Claim.Kind, e.Claim.Value, e.Claim.Tenant)
}

// TenantError says that a tenant has no log, or that a new one has. Nothing was written.
type TenantError struct{ Tenant domain.TenantID }

func (e *TenantError) Error() string {
	return fmt.Sprintf("tenant %s: log missing, or there already", e.Tenant)
}

// RememberedError says that something is remembered under the Commit's key
// already. Nothing was written.
type RememberedError struct {
	Tenant domain.TenantID
	Key    Hash
}

func (e *RememberedError) Error() string {
	return fmt.Sprintf("tenant %s: a command with this key was answered already", e.Tenant)
}

// SizeError says that an event has more than MaxEventSize bytes. Nothing was written.
type SizeError struct {
	Type string
	Size int
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("event %s has %d bytes, more than %d", e.Type, e.Size, MaxEventSize)
}

// busy are SQLSTATEs, or classes of them, of errors that a later attempt may not have.
var busy = []string{
	"40",         // rolled back: deadlock, serialization
	"53",         // out of connections, memory or disk
	"57",         // cancelled, shutting down, starting up
	codeReadOnly, // read-only: a standby, or set so
	codeLockNotAvailable,
}

const (
	codeUniqueViolation  = "23505"
	codeLockNotAvailable = "55P03"
	codeDeadlock         = "40P01"
	tenantLogsKey        = "tenant_logs_pk"

	codeInsufficientPrivilege = "42501"
	codeReadOnly              = "25006"
)

// outcome wraps the error of a call with what it means for the Commits.
func outcome(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case pgconn.SafeToRetry(err):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case !errors.As(err, &pg), pg.SeverityUnlocalized != "ERROR":
		// No answer, or the session ended with it: perhaps after the commit.
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
	// The server answered, so the statement was rolled back.
	if lacksGrant(pg) || slices.ContainsFunc(busy, func(code string) bool { return strings.HasPrefix(pg.Code, code) }) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("append: %w", err)
}

// tenantExists reports whether a concurrent Commit created the log of the same new
// tenant first.
func tenantExists(err error) bool {
	var pg *pgconn.PgError
	return violatesUnique(err) && errors.As(err, &pg) && pg.ConstraintName == tenantLogsKey
}

func violatesUnique(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == codeUniqueViolation
}

// locked reports whether a log of the batch stayed locked for the lock timeout.
func locked(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == codeLockNotAvailable || pg.Code == codeDeadlock)
}
