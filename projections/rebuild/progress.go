package rebuild

import (
	"sync"

	"docket/domain"
)

// Progress says how far the rebuild of one read model of one tenant is.
type Progress struct {
	Tenant domain.TenantID
	Model  string
	// Seq is the last event folded, and Head the log's head at the start.
	Seq, Head int64
	// Done says that queries read the new rows.
	Done bool
	// Err is why the rebuild failed, an *Error; nil while it hasn't. After Done its Op is
	// OpDeleteOldRows, in a report of its own.
	Err error
}

// reporter passes on the progress of concurrent builders, one report at a time, and
// keeps the failures.
type reporter struct {
	mu       sync.Mutex
	report   func(Progress)
	failures []error
}

func (r *reporter) send(p Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Err != nil {
		r.failures = append(r.failures, p.Err)
	}
	if r.report != nil {
		r.report(p)
	}
}

// exclusively runs do while no report is sent.
func (r *reporter) exclusively(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
}

// fail reports that the rebuild of one read model failed.
func (r *reporter) fail(t domain.TenantID, model string, cause error) {
	r.send(Progress{Tenant: t, Model: model, Err: &Error{Op: OpRebuild, Tenant: t, Model: model, Cause: cause}})
}
