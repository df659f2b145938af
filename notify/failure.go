package notify

import (
	"fmt"
	"time"
)

// Verdict says whether another attempt makes sense.
type Verdict int

// The verdicts.
const (
	// Transient: it may go well later.
	Transient Verdict = iota
	// Permanent: it will never go well.
	Permanent
)

// Failure is why a provider couldn't send. An error that isn't one counts as
// Transient, with a problem that tells nothing.
type Failure struct {
	Verdict Verdict
	// After is the least time to wait that the other side asked for; 0: it didn't.
	After time.Duration
	// Problem says what is wrong in words that a tenant may read: nothing of what
	// the other side answered but its status and size, no address, no secret.
	Problem string
	// Err is the cause, for the operator's log alone; it holds no secret either.
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
	return &Failure{Verdict: Permanent, Problem: problem, Err: cause}
}

func transient(problem string, cause error) *Failure {
	return &Failure{Verdict: Transient, Problem: problem, Err: cause}
}
