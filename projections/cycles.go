package projections

import (
	"maps"
	"slices"
	"time"

	"docket/domain"

	"github.com/google/uuid"
)

// CycleKind names what is measured between two statuses.
type CycleKind string

// The kinds of cycles.
const (
	SubmittedToApproved CycleKind = "submitted_to_approved"
	ActiveToCompleted   CycleKind = "active_to_completed"
)

// cycleRule says when a cycle is: from the first move to Begin, through whatever
// comes in between, to the next move to End. A move to Break ends it without a
// cycle.
type cycleRule struct {
	Kind              CycleKind
	Begin, End, Break domain.Status
}

// cycleRules are the kinds of cycles. So a rejection, a withdrawal and the
// submission after it lengthen the cycle that the first submission began: its
// people waited all that time. A stay on hold is part of a cycle, a reopening
// begins another, and what was cancelled is never counted, though it be revived.
var cycleRules = []cycleRule{
	{Kind: SubmittedToApproved, Begin: domain.Submitted, End: domain.Approved, Break: domain.Cancelled},
	{Kind: ActiveToCompleted, Begin: domain.Active, End: domain.Completed, Break: domain.Cancelled},
}

// maxCycles is how many of a project's cycles are kept, the last ones of all kinds
// together, so that a row stays small whatever a client does. People don't come near it.
const maxCycles = 100

// projectCycles are the cycles of a project.
type projectCycles struct {
	ProjectID domain.ProjectID
	// MovedAt is when its status last changed: no cycle ended after that.
	MovedAt time.Time
	// Open is when the cycle that goes on began.
	Open map[CycleKind]time.Time
	// Done are in the order of their ends.
	Done []cycle
}

// cycle is one that came to its end. Its JSON form is read by SQL too.
type cycle struct {
	Kind  CycleKind `json:"kind"`
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
}

// cycles is the read model of the cycles of the projects that were ever moved and
// weren't deleted.
var cycles = define(model[uuid.UUID, projectCycles]{
	Name: "cycles", FoldVersion: 1, Table: "cycles",
	Keys: streamKeys([]string{"project.status_changed", "project.deleted"}),
	Ignores: slices.Concat(tenantEvents, userEvents, memberEvents, taskEvents, commentEvents, apiKeyEvents, subscriptionEvents,
		[]string{"project.created", "project.updated"}),
	Fold: foldCycles,
	Key:  "project_id", KeyOf: func(c *projectCycles) uuid.UUID { return c.ProjectID.UUID() },
	Columns: []column[projectCycles]{
		id("project_id", func(c *projectCycles) *domain.ProjectID { return &c.ProjectID }),
		instant("moved_at", func(c *projectCycles) *time.Time { return &c.MovedAt }),
		document("open", func(c *projectCycles) *map[CycleKind]time.Time { return &c.Open }),
		document("done", func(c *projectCycles) *[]cycle { return &c.Done }),
	},
})

func foldCycles(row *projectCycles, r domain.Recorded) (*projectCycles, error) {
	e, moved := r.Event.(domain.ProjectStatusChanged)
	if !moved { // deleted
		return nil, nil
	}
	next := projectCycles{ProjectID: domain.ProjectID(r.Stream.ID), MovedAt: r.At, Open: map[CycleKind]time.Time{}, Done: []cycle{}}
	if row != nil {
		next.Open, next.Done = maps.Clone(row.Open), row.Done
	}
	for _, rule := range cycleRules {
		began, open := next.Open[rule.Kind]
		switch e.To {
		case rule.Begin:
			if !open {
				next.Open[rule.Kind] = r.At
			}
		case rule.End:
			if open {
				// A copy: the row before stays as it was.
				next.Done = append(slices.Clone(next.Done), cycle{Kind: rule.Kind, Began: began, Ended: r.At})
			}
			delete(next.Open, rule.Kind)
		case rule.Break:
			delete(next.Open, rule.Kind)
		}
	}
	next.Done = next.Done[max(0, len(next.Done)-maxCycles):]
	return &next, nil
}
