package notify

import (
	"fmt"
	"time"
)

// Failure is why a Provider could not send. Any other error counts as a Failure
// that is not Permanent, with the Problem "internal error".
type Failure struct {
	// Permanent: no later attempt can succeed.
	Permanent bool
	// Elsewhere: another replica, with another configuration, may be able to send it.
	Elsewhere bool
	// After is the least time to wait that the receiver asked for; 0: it did not ask.
	After time.Duration
	// Problem is safe for the tenant to read: of the receiver's answer it contains
	// the status and the size, and it contains no address and no secret.
	Problem string
	// Err is the cause, for the operator's log. It contains no secret either.
	Err error
}

// Error is the problem and the cause.
func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Problem
	}
	return fmt.Sprintf("%s: %v", f.Problem, f.Err)
}

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Err }

func permanent(problem string, cause error) *Failure {
	return &Failure{Permanent: true, Problem: problem, Err: cause}
}

func transient(problem string, cause error) *Failure {
	return &Failure{Problem: problem, Err: cause}
}
