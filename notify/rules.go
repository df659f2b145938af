package notify

import (
	"encoding/json"
	"fmt"
	"slices"

	"docket/domain"
)

// rule is one kind of notification that an event type causes.
type rule struct {
	kind   Kind
	reason Reason
	// users are the recipients, the actor and the zero user included.
	users func(domain.Event) []domain.UserID
	// render fails if the event is damaged.
	render func(e domain.Event, actor string) (text, error)
}

// text is what a recipient reads, and the project it belongs to.
type text struct {
	project domain.ProjectID
	title   string
	body    string
}

// on is a rule for events of type E.
func on[E domain.Event](k Kind, r Reason, users func(E) []domain.UserID, render func(E, string) (text, error)) rule {
	return rule{
		kind: k, reason: r,
		users:  func(e domain.Event) []domain.UserID { return users(e.(E)) },
		render: func(e domain.Event, actor string) (text, error) { return render(e.(E), actor) },
	}
}

// recipients are the users to notify: not of their own act.
func (r rule) recipients(e domain.Recorded) []domain.UserID {
	return slices.DeleteFunc(slices.Clone(r.users(e.Event)), func(u domain.UserID) bool { return u.IsZero() || u == e.Actor })
}

// noRecipients is the row of an event that causes no notification.
var noRecipients []rule

// rules is which event notifies whom, and why. Every event type has a row.
var rules = map[string][]rule{
	"tenant.created":     noRecipients,
	"tenant.updated":     noRecipients,
	"tenant.founded":     noRecipients,
	"tenant.epoch_begun": noRecipients,

	"user.registered": noRecipients,
	"user.renamed":    noRecipients,

	"member.joined":       noRecipients,
	"member.role_changed": noRecipients,
	"member.renamed":      noRecipients,
	"member.left":         noRecipients,

	"project.created":        noRecipients,
	"project.updated":        noRecipients,
	"project.status_changed": {on(ProjectStatusChanged, ReasonProjectOwner, projectOwner, statusChanged)},
	"project.deleted":        noRecipients,

	"task.created": {on(TaskAssigned, ReasonAssignee, assignee, taskCreated)},
	"task.updated": {on(TaskAssigned, ReasonAssignee, newAssignee, taskUpdated)},
	"task.deleted": noRecipients,

	"comment.created": {
		on(Mention, ReasonMentioned, mentioned, mentionCreated),
		on(TaskCommented, ReasonAssignee, commentedAssignee, taskCommented),
	},
	"comment.updated": {on(Mention, ReasonMentioned, newlyMentioned, mentionUpdated)},
	"comment.deleted": noRecipients,

	"api_key.created": noRecipients,
	"api_key.rotated": noRecipients,
	"api_key.revoked": noRecipients,

	"subscription.event_skipped": noRecipients,
	"subscription.resumed":       noRecipients,
}

// Of returns the notifications of one event, in the table's order. An event
// without a row is domain.ErrUnknownEvent.
func Of(e domain.Recorded) ([]Notification, error) {
	row, ok := rules[e.Event.EventType()]
	if !ok {
		return nil, fmt.Errorf("%w: no notification rule for %s", domain.ErrUnknownEvent, e.Event.EventType())
	}
	actor := e.ActorName()
	if actor == "" {
		actor = "The system"
	}
	var out []Notification
	for _, r := range row {
		users := r.recipients(e)
		if len(users) == 0 {
			continue
		}
		t, err := r.render(e.Event, actor)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", e.Seq, err)
		}
		for _, to := range users {
			id, bulk := notificationID(e, to, r.kind), bulkOf(e, r.kind, actor)
			if bulk != nil {
				id = bulkID(e, to, r.kind)
			}
			out = append(out, Notification{
				ID: id, bulk: bulk, Tenant: e.Tenant, User: to, Actor: e.Actor,
				Kind: r.kind, Reason: r.reason, Seq: e.Seq,
				EntityType: e.Stream.Type, EntityID: e.Stream.ID, ProjectID: &t.project,
				Title: t.title, Body: t.body, CreatedAt: e.At,
			})
		}
	}
	return out, nil
}

func projectOwner(e domain.ProjectStatusChanged) []domain.UserID { return []domain.UserID{e.OwnerID} }

func statusChanged(e domain.ProjectStatusChanged, actor string) (text, error) {
	body := fmt.Sprintf("%s moved it from %s to %s.", actor, e.From, e.To)
	if e.Comment != nil && *e.Comment != "" {
		body += "\n\n" + *e.Comment
	}
	return text{e.ProjectID, fmt.Sprintf(`Project "%s" is now %s`, e.Name, e.To), body}, nil
}

func assignee(e domain.TaskCreated) []domain.UserID { return oneOrNone(e.AssigneeID) }

func taskCreated(e domain.TaskCreated, actor string) (text, error) {
	return assigned(e.ProjectID, e.ProjectName, e.Title, actor), nil
}

func newAssignee(e domain.TaskUpdated) []domain.UserID {
	if !slices.ContainsFunc(e.Changes, func(c domain.Change) bool { return c.Field == "assignee_id" }) {
		return nil
	}
	return oneOrNone(e.AssigneeID)
}

func taskUpdated(e domain.TaskUpdated, actor string) (text, error) {
	return assigned(e.ProjectID, e.ProjectName, e.Title, actor), nil
}

func assigned(p domain.ProjectID, project, title, actor string) text {
	return text{p, fmt.Sprintf(`Task "%s" is assigned to you`, title), fmt.Sprintf(`%s assigned it to you in project "%s".`, actor, project)}
}

func mentioned(e domain.CommentCreated) []domain.UserID { return e.Mentions }

func mentionCreated(e domain.CommentCreated, actor string) (text, error) {
	return text{e.ProjectID, mentionTitle(e.Title), commentBody(actor, e.ProjectName, e.Body)}, nil
}

// newlyMentioned are the users whom the comment did not mention before.
func newlyMentioned(e domain.CommentUpdated) []domain.UserID { return e.Mentions }

func mentionUpdated(e domain.CommentUpdated, actor string) (text, error) {
	var body string
	for _, c := range e.Changes {
		if c.Field != "body" {
			continue
		}
		if err := json.Unmarshal(c.To, &body); err != nil {
			return text{}, fmt.Errorf("a comment's new body: %w", err)
		}
	}
	return text{e.ProjectID, mentionTitle(e.Title), commentBody(actor, e.ProjectName, body)}, nil
}

func mentionTitle(task string) string { return fmt.Sprintf(`You are mentioned on task "%s"`, task) }

// commentedAssignee leaves out an assignee whom the comment mentions: the mention
// says more.
func commentedAssignee(e domain.CommentCreated) []domain.UserID {
	if e.AssigneeID == nil || slices.Contains(e.Mentions, *e.AssigneeID) {
		return nil
	}
	return oneOrNone(e.AssigneeID)
}

func taskCommented(e domain.CommentCreated, actor string) (text, error) {
	return text{e.ProjectID, fmt.Sprintf(`New comment on your task "%s"`, e.Title), commentBody(actor, e.ProjectName, e.Body)}, nil
}

func commentBody(actor, project, body string) string {
	return fmt.Sprintf("%s wrote in project \"%s\":\n\n%s", actor, project, body)
}

func oneOrNone(u *domain.UserID) []domain.UserID {
	if u == nil {
		return nil
	}
	return []domain.UserID{*u}
}
