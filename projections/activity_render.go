package projections

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"docket/domain"
)

// Line is what the activity log and a history say about one event. It is a pure
// function of the event, so both say the same, whenever they are asked.
type Line struct {
	// ProjectID is the project that the event is about or belongs to, if any.
	ProjectID *domain.ProjectID
	// Summary is one line of English: who did what.
	Summary string
	// Changes are the fields that changed; never nil. What begins a project or task changes
	// the fields that it set to other values than those of a creation without them; what
	// begins something else, or ends a thing, changes none.
	Changes []domain.Change
}

// said is what a line of the table says: what was done, without the actor.
type said struct {
	project domain.ProjectID
	deed    string
	changes []domain.Change
}

// lines renders each type of event. A registered type without a line fails a test.
var lines = map[string]func(domain.Recorded) (said, error){
	"tenant.created": renderOf(func(_ domain.Recorded, e domain.TenantCreated) said {
		return said{deed: "created the tenant " + quoted(e.Name)}
	}),
	"tenant.updated": renderOf(func(_ domain.Recorded, e domain.TenantUpdated) said {
		return said{deed: "changed " + fields(e.Changes) + " of the tenant " + quoted(e.Name), changes: e.Changes}
	}),
	"tenant.founded": renderOf(func(_ domain.Recorded, e domain.TenantFounded) said {
		return said{deed: "became the first owner of the tenant " + quoted(e.Name)}
	}),
	"tenant.epoch_begun": renderOf(func(_ domain.Recorded, e domain.TenantEpochBegun) said {
		return said{deed: "recorded that earlier events may be lost: " + quoted(e.Reason)}
	}),

	"user.registered": renderOf(func(_ domain.Recorded, e domain.UserRegistered) said {
		return said{deed: "registered as " + quoted(e.Name.Value)}
	}),

	"user.renamed": renderOf(func(_ domain.Recorded, e domain.UserRenamed) said {
		return renamed(e.From, e.Name)
	}),

	"member.joined": renderOf(func(r domain.Recorded, e domain.MemberJoined) said {
		if r.Actor == e.UserID {
			return said{deed: fmt.Sprintf("joined as %s", e.Role)}
		}
		return said{deed: fmt.Sprintf("added %s as %s", named(e.Name.Value), e.Role)}
	}),
	"member.role_changed": renderOf(func(_ domain.Recorded, e domain.MemberRoleChanged) said {
		return said{
			deed:    fmt.Sprintf("changed the role of %s from %s to %s", named(e.Name.Value), e.From, e.To),
			changes: change("role", e.From, e.To),
		}
	}),
	"member.renamed": renderOf(func(_ domain.Recorded, e domain.MemberRenamed) said {
		return renamed(e.From, e.Name)
	}),
	"member.left": renderOf(func(r domain.Recorded, e domain.MemberLeft) said {
		if r.Actor == e.UserID {
			return said{deed: "left"}
		}
		return said{deed: "removed " + named(e.Name.Value)}
	}),

	"project.created": renderOf(func(_ domain.Recorded, e domain.ProjectCreated) said {
		return said{project: e.ProjectID, deed: "created project " + quoted(e.Name), changes: slices.Concat(
			set("description", e.Description, nil), set("visibility", &e.Visibility, defaultVisibility), set("due_date", e.DueDate, nil),
		)}
	}),
	"project.updated": renderOf(func(_ domain.Recorded, e domain.ProjectUpdated) said {
		deed := "changed " + fields(e.Changes) + " of project " + quoted(e.Name)
		if e.AfterApproval {
			deed += " after its approval"
		}
		return said{project: e.ProjectID, deed: deed, changes: e.Changes}
	}),
	"project.status_changed": renderOf(func(_ domain.Recorded, e domain.ProjectStatusChanged) said {
		deed := fmt.Sprintf("moved project %s from %s to %s", quoted(e.Name), e.From, e.To)
		if e.AfterEdit {
			deed += " by editing it"
		}
		return said{
			project: e.ProjectID,
			deed:    deed,
			changes: change("status", e.From, e.To),
		}
	}),
	"project.deleted": renderOf(func(_ domain.Recorded, e domain.ProjectDeleted) said {
		return said{project: e.ProjectID, deed: "deleted project " + quoted(e.Name)}
	}),

	"task.created": renderOf(func(_ domain.Recorded, e domain.TaskCreated) said {
		changes := slices.Concat(set("description", e.Description, nil), set("priority", &e.Priority, defaultPriority))
		if e.AssigneeID != nil {
			changes = append(changes, domain.Change{Field: "assignee_id", From: null, To: word(e.AssigneeID.String())})
		}
		if len(e.Labels) > 0 {
			changes = append(changes, domain.Change{Field: "labels", From: noItems, To: encoded(e.Labels)})
		}
		return said{
			project: e.ProjectID,
			deed:    "created task " + quoted(e.Title) + " in project " + quoted(e.ProjectName),
			changes: slices.Concat(changes, set("due_date", e.DueDate, nil)),
		}
	}),
	"task.updated": renderOf(func(_ domain.Recorded, e domain.TaskUpdated) said {
		return said{
			project: e.ProjectID,
			deed:    "changed " + fields(e.Changes) + " of task " + quoted(e.Title) + " in project " + quoted(e.ProjectName),
			changes: e.Changes,
		}
	}),
	"task.deleted": renderOf(func(_ domain.Recorded, e domain.TaskDeleted) said {
		return said{project: e.ProjectID, deed: "deleted task " + quoted(e.Title) + " from project " + quoted(e.ProjectName)}
	}),

	"comment.created": renderOf(func(_ domain.Recorded, e domain.CommentCreated) said {
		return said{project: e.ProjectID, deed: "commented on task " + quoted(e.Title) + " in project " + quoted(e.ProjectName)}
	}),
	"comment.updated": renderOf(func(_ domain.Recorded, e domain.CommentUpdated) said {
		return said{
			project: e.ProjectID,
			deed:    "changed " + fields(e.Changes) + " of a comment on task " + quoted(e.Title) + " in project " + quoted(e.ProjectName),
			changes: e.Changes,
		}
	}),
	"comment.deleted": renderOf(func(_ domain.Recorded, e domain.CommentDeleted) said {
		return said{project: e.ProjectID, deed: "deleted a comment on task " + quoted(e.Title) + " in project " + quoted(e.ProjectName)}
	}),

	"api_key.created": renderOf(func(_ domain.Recorded, e domain.APIKeyCreated) said {
		return said{deed: fmt.Sprintf("created the service account %s as %s, with an API key that expires at %s", quoted(e.Name), e.Role, e.ExpiresAt)}
	}),
	"api_key.rotated": renderOf(func(_ domain.Recorded, e domain.APIKeyRotated) said {
		return said{deed: fmt.Sprintf("gave the service account %s another API key, which expires at %s; the one before is valid until %s", quoted(e.Name), e.ExpiresAt, e.PreviousUntil)}
	}),
	"api_key.revoked": renderOf(func(_ domain.Recorded, e domain.APIKeyRevoked) said {
		return said{deed: "ended the service account " + quoted(e.Name) + " with its API keys"}
	}),

	"subscription.event_skipped": renderOf(func(_ domain.Recorded, e domain.SubscriptionEventSkipped) said {
		return said{deed: fmt.Sprintf("left event %d out of %s, as the operator %s asked: %s", e.Seq, e.Subscription, quoted(e.Operator), quoted(e.Reason))}
	}),
	"subscription.resumed": renderOf(func(_ domain.Recorded, e domain.SubscriptionResumed) said {
		return said{deed: fmt.Sprintf("tried event %d again for %s, as the operator %s asked: %s", e.Seq, e.Subscription, quoted(e.Operator), quoted(e.Reason))}
	}),
}

// Describe renders an event. It returns domain.ErrUnknownEvent for a type that has
// no line.
func Describe(r domain.Recorded) (Line, error) {
	s, err := say(r)
	if err != nil {
		return Line{}, err
	}
	l := Line{Summary: actor(r) + " " + s.deed, Changes: s.changes}
	if !s.project.IsZero() {
		l.ProjectID = &s.project
	}
	if l.Changes == nil {
		l.Changes = []domain.Change{}
	}
	return l, nil
}

// say renders an event without its actor, who stands in Meta.
func say(r domain.Recorded) (said, error) {
	line, ok := lines[r.Event.EventType()]
	if !ok {
		return said{}, fmt.Errorf("%w: no line tells %s", domain.ErrUnknownEvent, r.Event.EventType())
	}
	return line(r)
}

// renderOf makes a line of the table out of a function of one Go type of event.
func renderOf[E domain.Event](f func(domain.Recorded, E) said) func(domain.Recorded) (said, error) {
	return func(r domain.Recorded) (said, error) {
		e, ok := r.Event.(E)
		if !ok {
			return said{}, fmt.Errorf("line of %s got a %T", r.Event.EventType(), r.Event)
		}
		return f(r, e), nil
	}
}

// actor is who acted, at the beginning of a line.
func actor(r domain.Recorded) string {
	if r.Actor.IsZero() {
		return "The system"
	}
	return named(r.ActorName())
}

// named is a person's name within a line. It may have been made unreadable.
func named(name string) string {
	// A name may have line breaks; a line has none.
	if s := strings.Join(strings.Fields(name), " "); s != "" {
		return s
	}
	return "somebody"
}

// quoted is a name of a thing within a line, with line breaks and quotes escaped.
func quoted(name string) string { return strconv.Quote(name) }

// fields are the names of what changed, as "the name, status and due date".
func fields(list []domain.Change) string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = strings.ReplaceAll(strings.TrimSuffix(c.Field, "_id"), "_", " ")
	}
	switch n := len(names); n {
	case 0:
		return "nothing"
	case 1:
		return "the " + names[0]
	default:
		return "the " + strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
