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

// Error says that one read model of one tenant wasn't rebuilt, and why. Its old rows
// stay the ones that are read.
type Error struct {
	Tenant domain.TenantID
	Model  string
	Cause  error
}

func (e *Error) Error() string {
	return fmt.Sprintf("rebuild %s of tenant %s: %v", e.Model, e.Tenant, e.Cause)
}

func (e *Error) Unwrap() error { return e.Cause }

// VerifyError says that one read model of one tenant couldn't be compared, and why. Its
// rows are unchanged.
type VerifyError struct {
	Tenant domain.TenantID
	Model  string
	Cause  error
}

func (e *VerifyError) Error() string {
	return fmt.Sprintf("verify %s of tenant %s: %v", e.Model, e.Tenant, e.Cause)
}

func (e *VerifyError) Unwrap() error { return e.Cause }

// OldRowsError says that one read model of one tenant was rebuilt but its old rows
// couldn't be deleted, and why. No query reads them. A Background deletes them, or the
// next rebuild of the same read model.
type OldRowsError struct {
	Tenant domain.TenantID
	Model  string
	Cause  error
}

func (e *OldRowsError) Error() string {
	return fmt.Sprintf("%s of tenant %s is rebuilt, and its old rows are still there: %v", e.Model, e.Tenant, e.Cause)
}

func (e *OldRowsError) Unwrap() error { return e.Cause }

// UnreachableError says that the database was unreachable for some seconds, so that some
// tenants weren't started. The same call continues with them.
type UnreachableError struct{ Cause error }

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the database is gone, and what was left wasn't begun: %v", e.Cause)
}

func (e *UnreachableError) Unwrap() error { return e.Cause }
