package notify

import (
	"encoding/json"
	"fmt"
	"slices"

	"docket/domain"
)

// rule is one thing that an event of some type may tell somebody.
type rule struct {
	kind   Kind
	reason Reason
	// tell is who is told what. An error is damage in the event.
	tell func(domain.Recorded) ([]domain.UserID, text, error)
}

// text is what a user reads, and the project it belongs to.
type text struct {
	project domain.ProjectID
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
	"user.renamed":    nobody,

	"member.joined":       nobody,
	"member.role_changed": nobody,
	"member.renamed":      nobody,
	"member.left":         nobody,

	"project.created":        nobody,
	"project.updated":        nobody,
	"project.status_changed": {{ProjectStatusChanged, ReasonProjectOwner, ownerOfMoved}},
	"project.deleted":        nobody,

	"task.created": {{TaskAssigned, ReasonAssignee, assigneeOfCreated}},
	"task.updated": {{TaskAssigned, ReasonAssignee, newAssigneeOfUpdated}},
	"task.deleted": nobody,

	"comment.created": {
		{Mention, ReasonMentioned, mentionedInCreated},
		{TaskCommented, ReasonAssignee, assigneeOfCommented},
	},
	"comment.updated": {{Mention, ReasonMentioned, newlyMentionedInUpdated}},
	"comment.deleted": nobody,

	"subscription.event_skipped": nobody,
	"subscription.resumed":       nobody,
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
		users, says, err := r.tell(e)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", e.Seq, err)
		}
		for _, to := range users {
			if to.IsZero() || to == e.Actor {
				continue
			}
			out = append(out, Notification{
				ID: identify(e, to, r.kind), Tenant: e.Tenant, User: to, Actor: e.Actor,
				Kind: r.kind, Reason: r.reason, Seq: e.Seq,
				EntityType: e.Stream.Type, EntityID: e.Stream.ID, ProjectID: &says.project,
				Title: says.title, Body: says.body, CreatedAt: e.At,
			})
		}
	}
	return out, nil
}

func ownerOfMoved(r domain.Recorded) ([]domain.UserID, text, error) {
	e := r.Event.(domain.ProjectStatusChanged)
	body := fmt.Sprintf("%s moved it from %s to %s.", actor(r), e.From, e.To)
	if e.Comment != nil && *e.Comment != "" {
		body += "\n\n" + *e.Comment
	}
	return []domain.UserID{e.OwnerID}, text{
		project: e.ProjectID,
		title:   fmt.Sprintf(`Project "%s" is now %s`, e.Name, e.To),
		body:    body,
	}, nil
}

func assigneeOfCreated(r domain.Recorded) ([]domain.UserID, text, error) {
	e := r.Event.(domain.TaskCreated)
	return assigned(r, e.AssigneeID, e.Title, e.ProjectID, e.ProjectName)
}

func newAssigneeOfUpdated(r domain.Recorded) ([]domain.UserID, text, error) {
	e := r.Event.(domain.TaskUpdated)
	if !slices.ContainsFunc(e.Changes, func(c domain.Change) bool { return c.Field == "assignee_id" }) {
		return nil, text{}, nil
	}
	return assigned(r, e.AssigneeID, e.Title, e.ProjectID, e.ProjectName)
}

func assigned(r domain.Recorded, to *domain.UserID, title string, p domain.ProjectID, project string) ([]domain.UserID, text, error) {
	return oneOrNone(to), text{
		project: p,
		title:   fmt.Sprintf(`Task "%s" is assigned to you`, title),
		body:    fmt.Sprintf(`%s assigned it to you in project "%s".`, actor(r), project),
	}, nil
}

func mentionedInCreated(r domain.Recorded) ([]domain.UserID, text, error) {
	e := r.Event.(domain.CommentCreated)
	return e.Mentions, mention(r, e.Title, e.ProjectID, e.ProjectName, e.Body), nil
}

// newlyMentionedInUpdated are those whom the comment didn't name before.
func newlyMentionedInUpdated(r domain.Recorded) ([]domain.UserID, text, error) {
	e := r.Event.(domain.CommentUpdated)
	var body string
	for _, c := range e.Changes {
		if c.Field != "body" {
			continue
		}
		if err := json.Unmarshal(c.To, &body); err != nil {
			return nil, text{}, fmt.Errorf("a comment's new body: %w", err)
		}
	}
	return e.Mentions, mention(r, e.Title, e.ProjectID, e.ProjectName, body), nil
}

func mention(r domain.Recorded, title string, p domain.ProjectID, project, body string) text {
	return text{
		project: p,
		title:   fmt.Sprintf(`You are mentioned on task "%s"`, title),
		body:    fmt.Sprintf("%s wrote in project \"%s\":\n\n%s", actor(r), project, body),
	}
}

// assigneeOfCommented is told unless the comment names them: that tells more.
func assigneeOfCommented(r domain.Recorded) ([]domain.UserID, text, error) {
	e := r.Event.(domain.CommentCreated)
	if e.AssigneeID == nil || slices.Contains(e.Mentions, *e.AssigneeID) {
		return nil, text{}, nil
	}
	return oneOrNone(e.AssigneeID), text{
		project: e.ProjectID,
		title:   fmt.Sprintf(`New comment on your task "%s"`, e.Title),
		body:    fmt.Sprintf("%s wrote in project \"%s\":\n\n%s", actor(r), e.ProjectName, e.Body),
	}, nil
}

func oneOrNone(u *domain.UserID) []domain.UserID {
	if u == nil {
		return nil
	}
	return []domain.UserID{*u}
}

// actor is the name of who acted.
func actor(r domain.Recorded) string {
	if name := r.ActorName(); name != "" {
		return name
	}
	return "The system"
}
