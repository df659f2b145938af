package domain

// Status is a project's status in the workflow.
type Status string

// The statuses of a project.
const (
	Draft     Status = "draft"
	Submitted Status = "submitted"
	Rejected  Status = "rejected"
	Approved  Status = "approved"
	Active    Status = "active"
	OnHold    Status = "on_hold"
	Completed Status = "completed"
	Cancelled Status = "cancelled"
	Archived  Status = "archived"
)

// StatusRule describes a status: a closed project, its tasks and its comments can
// only be read; a terminal status has no transitions.
type StatusRule struct {
	Name     Status
	Closed   bool
	Terminal bool
}

// Transition is an allowed move and the lowest role that may make it. In a tenant with
// four eyes, a member who submitted the project, or edited it since, can't make a move
// with FourEyes.
type Transition struct {
	From, To Status
	Least    Role
	FourEyes bool
}

var statuses = []StatusRule{
	{Name: Draft},
	{Name: Submitted},
	{Name: Rejected},
	{Name: Approved},
	{Name: Active},
	{Name: OnHold},
	{Name: Completed, Closed: true},
	{Name: Cancelled, Closed: true},
	{Name: Archived, Closed: true, Terminal: true},
}

var workflow = []Transition{
	{From: Draft, To: Submitted, Least: Member},
	{From: Draft, To: Cancelled, Least: Manager},

	{From: Submitted, To: Approved, Least: Manager, FourEyes: true},
	{From: Submitted, To: Rejected, Least: Manager},
	{From: Submitted, To: Draft, Least: Member}, // withdraw
	{From: Submitted, To: Cancelled, Least: Manager},

	{From: Rejected, To: Draft, Least: Member},
	{From: Rejected, To: Cancelled, Least: Manager},

	{From: Approved, To: Active, Least: Manager},
	{From: Approved, To: Cancelled, Least: Owner},

	{From: Active, To: OnHold, Least: Manager},
	{From: Active, To: Completed, Least: Manager},
	{From: Active, To: Cancelled, Least: Owner},

	{From: OnHold, To: Active, Least: Manager},
	{From: OnHold, To: Completed, Least: Manager},
	{From: OnHold, To: Cancelled, Least: Owner},

	{From: Completed, To: Active, Least: Owner}, // reopen
	{From: Completed, To: Archived, Least: Owner},

	{From: Cancelled, To: Draft, Least: Owner}, // revive
	{From: Cancelled, To: Archived, Least: Owner},
}

// Statuses are all statuses, in the usual order of a project's life.
func Statuses() []StatusRule { return append([]StatusRule(nil), statuses...) }

// Workflow is the whole transition table.
func Workflow() []Transition { return append([]Transition(nil), workflow...) }

// TransitionsFrom are the moves out of a status, in the table's order.
func TransitionsFrom(from Status) []Transition {
	out := []Transition{}
	for _, t := range workflow {
		if t.From == from {
			out = append(out, t)
		}
	}
	return out
}

// FindTransition finds a move in the table.
func FindTransition(from, to Status) (Transition, bool) {
	for _, t := range workflow {
		if t.From == from && t.To == to {
			return t, true
		}
	}
	return Transition{}, false
}

// Known reports whether the status is in the table.
func (s Status) Known() bool {
	_, ok := s.rule()
	return ok
}

// Closed reports whether a project in this status can only be read.
func (s Status) Closed() bool {
	r, _ := s.rule()
	return r.Closed
}

func (s Status) rule() (StatusRule, bool) {
	for _, r := range statuses {
		if r.Name == s {
			return r, true
		}
	}
	return StatusRule{}, false
}

// invalidTransition is the refusal of a move that isn't in the table.
func invalidTransition(from, to Status) *Error {
	allowed := []Status{}
	for _, t := range TransitionsFrom(from) {
		allowed = append(allowed, t.To)
	}
	return Refuse(CodeInvalidTransition, "a project can't go from %s to %s", from, to).
		With("current_status", from).With("allowed_transitions", allowed)
}
