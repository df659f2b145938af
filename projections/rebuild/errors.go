package rebuild

import (
	"fmt"

	"docket/domain"
	"docket/projections"
)

// UnknownModelError says that there is no read model of that name.
type UnknownModelError struct{ Name string }

func (e *UnknownModelError) Error() string {
	return fmt.Sprintf("no read model %q; there are %v", e.Name, projections.Models())
}

// Op is what a Rebuilder does with one read model of one tenant.
type Op string

// The operations, and what stays when one fails.
const (
	// OpRebuild: the old rows stay the ones that are read.
	OpRebuild Op = "rebuild"
	// OpVerify is the comparison or the repair: the rows are unchanged.
	OpVerify Op = "verify"
	// OpDeleteOldRows follows a rebuild or a repair: no query reads the rows that are left.
	// A Background deletes them, or the next rebuild of the same read model.
	OpDeleteOldRows Op = "delete old rows"
)

// Error says what failed for one read model of one tenant, and why.
type Error struct {
	Op     Op
	Tenant domain.TenantID
	Model  string
	Cause  error
}

func (e *Error) Error() string {
	if e.Op == OpDeleteOldRows {
		return fmt.Sprintf("%s of tenant %s is rebuilt, and its old rows are still there: %v", e.Model, e.Tenant, e.Cause)
	}
	return fmt.Sprintf("%s %s of tenant %s: %v", e.Op, e.Model, e.Tenant, e.Cause)
}

func (e *Error) Unwrap() error { return e.Cause }

// UnreachableError says that the database was unreachable for some seconds, so that some
// tenants weren't started. The same call continues with them.
type UnreachableError struct{ Cause error }

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the database is gone, and what was left wasn't begun: %v", e.Cause)
}

func (e *UnreachableError) Unwrap() error { return e.Cause }
