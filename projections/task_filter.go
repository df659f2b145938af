package projections

import (
	"time"

	"docket/domain"

	"github.com/google/uuid"
)

// TaskFilter narrows a list of tasks. A nil member asks for nothing; of several values a
// task has one. A set without values, which is what is left of filters that exclude each
// other, lets nothing pass.
type TaskFilter struct {
	// ProjectID is the project whose list it is: a list of no project is
	// domain.NotFound. ProjectIDs are those of which tasks are asked for.
	ProjectID   *domain.ProjectID   `json:"list,omitzero"`
	ProjectIDs  []domain.ProjectID  `json:"projects,omitzero"`
	Statuses    []domain.TaskStatus `json:"statuses,omitzero"`
	AssigneeIDs []domain.UserID     `json:"assignees,omitzero"`
	// Unassigned asks for tasks without an assignee, beside those of AssigneeIDs.
	Unassigned bool              `json:"unassigned,omitzero"`
	CreatedBy  []domain.UserID   `json:"created_by,omitzero"`
	Priorities []domain.Priority `json:"priorities,omitzero"`
	// Query is a search (fulltext.Query).
	Query *string `json:"q,omitzero"`
	// Labels are those of which a task must have one.
	Labels []string  `json:"labels,omitzero"`
	Due    DueFilter `json:"due,omitzero"`
	// UpdatedSince leaves out what hasn't changed since.
	UpdatedSince *time.Time `json:"updated_since,omitzero"`
}

// args are the arguments of taskConditions, the tenant first.
func (f TaskFilter) args(t domain.TenantID) []any {
	projects := f.ProjectIDs
	if f.ProjectID != nil {
		projects = []domain.ProjectID{*f.ProjectID}
	}
	var ranks []int32
	if f.Priorities != nil {
		ranks = []int32{}
		for _, p := range f.Priorities {
			ranks = append(ranks, int32(urgencyOf(p)))
		}
	}
	unassigned := false
	assignees := f.AssigneeIDs
	if f.Unassigned {
		unassigned = true
		if assignees == nil {
			assignees = []domain.UserID{}
		}
	}
	after, before := f.Due.bounds()
	since := "-infinity"
	if f.UpdatedSince != nil {
		since = timeKey(*f.UpdatedSince)
	}
	return []any{
		t.UUID(), uuids(projects), uuids(assignees), unassigned, uuids(f.CreatedBy), f.Statuses, ranks, f.Labels, after, before, since,
	}
}

// uuids is a parameter that is null where a filter asks for nothing.
func uuids[K any](list []domain.ID[K]) []uuid.UUID {
	if list == nil {
		return nil
	}
	out := make([]uuid.UUID, len(list))
	for i, id := range list {
		out[i] = id.UUID()
	}
	return out
}

// plan chooses the statement of a filter and an order.
func (f TaskFilter) plan(o Order) taskPlan {
	p := taskPlan{order: o, walk: f.walk(o)}
	n := 0
	add := func(k taskFilterKind, asked bool) {
		if asked && n < len(p.few) {
			p.few[n] = k
			n++
		}
	}
	add(projectFilter, (f.ProjectID != nil || f.ProjectIDs != nil) && p.walk != throughProject)
	add(assigneeFilter, f.AssigneeIDs != nil && !f.Unassigned && p.walk != throughAssignee)
	add(creatorFilter, f.CreatedBy != nil && p.walk != throughCreator)
	add(priorityFilter, f.Priorities != nil && p.walk != throughFacets)
	add(updatedFilter, f.UpdatedSince != nil && o.By != ByUpdated)
	add(dueFilter, f.Due.asked() && o.By != ByDue)
	add(unassignedFilter, f.Unassigned && f.AssigneeIDs == nil)
	return p
}

func (f TaskFilter) walk(o Order) taskWalk {
	switch {
	case o.By == ByPriority && f.Priorities != nil:
		return throughFacets
	case o.By != ByCreated:
		return throughAll
	case f.ProjectID != nil || len(f.ProjectIDs) == 1:
		return throughProject
	case len(f.AssigneeIDs) == 1 && !f.Unassigned:
		return throughAssignee
	case len(f.CreatedBy) == 1:
		return throughCreator
	case f.Statuses != nil || f.Priorities != nil:
		return throughFacets
	}
	return throughAll
}

// start is where a page of tasks begins: not before what the filter lets pass of what the
// list is ordered by.
func (f TaskFilter) start(p Page, o Order) Keyset {
	if p.After != nil {
		return *p.After
	}
	after, before := f.Due.bounds()
	switch {
	case o.By == ByDue && f.Due.asked() && o.Descending:
		return Keyset{Value: before}
	case o.By == ByDue && f.Due.asked():
		return Keyset{Value: after, ID: uuid.Max}
	case o.By == ByUpdated && f.UpdatedSince != nil && !o.Descending:
		return Keyset{Value: timeKey(*f.UpdatedSince)}
	}
	return taskSortings[o.By].from(p, o)
}
