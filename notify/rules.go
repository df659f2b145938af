package notify

import (
	"fmt"
	"slices"

	"docket/domain"
)

// rule is one thing that an event of some type may tell somebody.
type rule struct {
	kind   Kind
	reason Reason
	// tell is who is told what; a zero user is nobody.
	tell func(domain.Recorded) (domain.UserID, text)
}

// text is what a user reads, and the project it belongs to.
type text struct {
	project *domain.ProjectID
	title   string
	body    string
}

// nobody is told of the event.
var nobody []rule

// rules is who is told what, and why. Every event type has a row.
var rules = map[string][]rule{
	"tenant.created": nobody,
	"tenant.updated": nobody,
	"tenant.founded": nobody,

	"user.registered": nobody,

	"member.joined":       nobody,
	"member.role_changed": nobody,
	"member.left":         nobody,

	"project.created":        nobody,
	"project.updated":        nobody,
	"project.status_changed": {{ProjectStatusChanged, ReasonProjectOwner, ownerOfMoved}},
	"project.deleted":        nobody,

	"task.created": {{TaskAssigned, ReasonAssignee, assigneeOfCreated}},
	"task.updated": {{TaskAssigned, ReasonAssignee, newAssigneeOfUpdated}},
	"task.deleted": nobody,
}

// Of are the notifications of one event, in the table's order; none for one's
// own act. An event without a row is domain.ErrUnknownEvent.
func Of(e domain.Recorded) ([]Notification, error) {
	row, ok := rules[e.Event.EventType()]
	if !ok {
		return nil, fmt.Errorf("%w: no notification rule for %s", domain.ErrUnknownEvent, e.Event.EventType())
	}
	var out []Notification
	for _, r := range row {
		to, says := r.tell(e)
		if to.IsZero() || to == e.Actor {
			continue
		}
		out = append(out, Notification{
			ID: identify(e, to, r.kind), Tenant: e.Tenant, User: to, Actor: e.Actor,
			Kind: r.kind, Reason: r.reason, Seq: e.Seq,
			EntityType: e.Stream.Type, EntityID: e.Stream.ID, ProjectID: says.project,
			Title: says.title, Body: says.body, CreatedAt: e.At,
		})
	}
	return out, nil
}

func ownerOfMoved(r domain.Recorded) (domain.UserID, text) {
	e := r.Event.(domain.ProjectStatusChanged)
	body := fmt.Sprintf("%s moved it from %s to %s.", actor(r), e.From, e.To)
	if e.Comment != nil && *e.Comment != "" {
		body += "\n\n" + *e.Comment
	}
	return e.OwnerID, text{
		project: &e.ProjectID,
		title:   fmt.Sprintf(`Project "%s" is now %s`, e.Name, e.To),
		body:    body,
	}
}

func assigneeOfCreated(r domain.Recorded) (domain.UserID, text) {
	e := r.Event.(domain.TaskCreated)
	return assigned(r, e.AssigneeID, e.Title, e.ProjectID, e.ProjectName)
}

func newAssigneeOfUpdated(r domain.Recorded) (domain.UserID, text) {
	e := r.Event.(domain.TaskUpdated)
	if !slices.ContainsFunc(e.Changes, func(c domain.Change) bool { return c.Field == "assignee_id" }) {
		return domain.UserID{}, text{}
	}
	return assigned(r, e.AssigneeID, e.Title, e.ProjectID, e.ProjectName)
}

func assigned(r domain.Recorded, to *domain.UserID, title string, p domain.ProjectID, project string) (domain.UserID, text) {
	if to == nil {
		return domain.UserID{}, text{}
	}
	return *to, text{
		project: &p,
		title:   fmt.Sprintf(`Task "%s" is assigned to you`, title),
		body:    fmt.Sprintf(`%s assigned it to you in project "%s".`, actor(r), project),
	}
}

// actor is the name of who acted.
func actor(r domain.Recorded) string {
	if name := r.ActorName(); name != "" {
		return name
	}
	return "The system"
}
