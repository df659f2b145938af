package notify_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"docket/domain"
	"docket/notify"
)

// wantKinds are the kinds of each event type, apart from the table under test.
var wantKinds = map[string][]notify.Kind{
	"tenant.created":         nil,
	"tenant.updated":         nil,
	"tenant.founded":         nil,
	"tenant.epoch_begun":     nil,
	"user.registered":        nil,
	"user.renamed":           nil,
	"member.joined":          nil,
	"member.role_changed":    nil,
	"member.renamed":         nil,
	"member.left":            nil,
	"project.created":        nil,
	"project.updated":        nil,
	"project.status_changed": {notify.ProjectStatusChanged},
	"project.deleted":        nil,
	"task.created":           {notify.TaskAssigned},
	"task.updated":           {notify.TaskAssigned},
	"task.deleted":           nil,
	"comment.created":        {notify.Mention, notify.TaskCommented},
	"comment.updated":        {notify.Mention},
	"comment.deleted":        nil,

	"api_key.created": nil,
	"api_key.rotated": nil,
	"api_key.revoked": nil,

	"subscription.event_skipped": nil,
	"subscription.resumed":       nil,
}

// A new event type needs a row, noRecipients if it has none, and a row in wantKinds.
func TestEveryEventTypeHasARow(t *testing.T) {
	t.Parallel()
	var registered []string
	for _, d := range domain.Definitions() {
		registered = append(registered, d.Type)
	}
	rows := notify.Rows()
	for _, name := range registered {
		kinds, ok := rows[name]
		if !ok {
			t.Errorf("%s has no row in the rules", name)
		}
		if want, ok := wantKinds[name]; !ok || !slices.Equal(kinds, want) {
			t.Errorf("%s causes %v, want %v (in the test: %v)", name, kinds, want, ok)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if !slices.Contains(registered, name) {
			t.Errorf("the rules have a row for %s, which isn't an event", name)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	ann, bob, cid := newID[domain.UserID](t), newID[domain.UserID](t), newID[domain.UserID](t)
	system := domain.UserID{}
	p := project{newID[domain.ProjectID](t), ann}
	k := task{newID[domain.TaskID](t), p}
	note := "Looks good"
	approved := domain.ProjectStatusChanged{ProjectID: p.id, Name: "Website", OwnerID: ann,
		From: domain.Submitted, To: domain.Approved, Comment: &note}

	assigned := notify.Notification{User: bob, Actor: ann, Kind: notify.TaskAssigned, Reason: notify.ReasonAssignee,
		EntityType: domain.TaskStream, EntityID: k.id.UUID(), ProjectID: &p.id,
		Title: `Task "Draft copy" is assigned to you`, Body: `Ann assigned it to you in project "Website".`}
	bySystem := assigned
	bySystem.Actor, bySystem.Body = system, `The system assigned it to you in project "Website".`
	moved := notify.Notification{User: ann, Actor: bob, Kind: notify.ProjectStatusChanged, Reason: notify.ReasonProjectOwner,
		EntityType: domain.ProjectStream, EntityID: p.id.UUID(), ProjectID: &p.id,
		Title: `Project "Website" is now submitted`, Body: `Ann moved it from draft to submitted.`}
	withComment := moved
	withComment.Title, withComment.Body = `Project "Website" is now approved`, "Ann moved it from submitted to approved.\n\nLooks good"

	says := comment{newID[domain.CommentID](t), k}
	mentioned := func(u domain.UserID) notify.Notification {
		return notify.Notification{User: u, Actor: ann, Kind: notify.Mention, Reason: notify.ReasonMentioned,
			EntityType: domain.CommentStream, EntityID: says.id.UUID(), ProjectID: &p.id,
			Title: `You are mentioned on task "Draft copy"`, Body: "Ann wrote in project \"Website\":\n\nLook here"}
	}
	commented := mentioned(bob)
	commented.Kind, commented.Reason, commented.Title = notify.TaskCommented, notify.ReasonAssignee, `New comment on your task "Draft copy"`

	for name, c := range map[string]struct {
		by     domain.UserID
		stream domain.StreamID
		event  domain.Event
		want   []notify.Notification
	}{
		"created for another":   {ann, k.stream(), k.created(&bob), []notify.Notification{assigned}},
		"created for oneself":   {bob, k.stream(), k.created(&bob), nil},
		"created unassigned":    {ann, k.stream(), k.created(nil), nil},
		"created by the system": {system, k.stream(), k.created(&bob), []notify.Notification{bySystem}},
		"given to another":      {ann, k.stream(), k.updated("assignee_id", &bob), []notify.Notification{assigned}},
		"taken by oneself":      {bob, k.stream(), k.updated("assignee_id", &bob), nil},
		"unassigned":            {ann, k.stream(), k.updated("assignee_id", nil), nil},
		"changed otherwise":     {ann, k.stream(), k.updated("title", &bob), nil},
		"moved by another":      {bob, p.stream(), p.moved(), []notify.Notification{moved}},
		"moved by the owner":    {ann, p.stream(), p.moved(), nil},
		"moved with a comment":  {bob, p.stream(), approved, []notify.Notification{withComment}},
		"task deleted":          {ann, k.stream(), domain.TaskDeleted{TaskID: k.id, AssigneeID: &bob}, nil},
		"project deleted":       {bob, p.stream(), domain.ProjectDeleted{ProjectID: p.id, OwnerID: ann}, nil},
		"renamed by oneself":    {ann, domain.Stream(domain.UserStream, ann), domain.UserRenamed{}, nil},
		"renamed in a tenant":   {system, domain.Stream(domain.MemberStream, ann), domain.MemberRenamed{UserID: ann}, nil},

		"commented on another's":     {ann, says.stream(), says.created(&bob), []notify.Notification{commented}},
		"commented on one's own":     {bob, says.stream(), says.created(&bob), nil},
		"commented on unassigned":    {ann, says.stream(), says.created(nil), nil},
		"mentions two":               {ann, says.stream(), says.created(nil, bob, cid), []notify.Notification{mentioned(bob), mentioned(cid)}},
		"mentions the assignee":      {ann, says.stream(), says.created(&bob, bob), []notify.Notification{mentioned(bob)}},
		"mentions another":           {ann, says.stream(), says.created(&bob, cid), []notify.Notification{mentioned(cid), commented}},
		"mentions the author":        {ann, says.stream(), says.created(nil, ann), nil},
		"mentions author, theirs":    {ann, says.stream(), says.created(&ann, ann), nil},
		"edited":                     {ann, says.stream(), says.updated(&bob), nil},
		"edited to mention":          {ann, says.stream(), says.updated(&bob, cid), []notify.Notification{mentioned(cid)}},
		"edited to mention assignee": {ann, says.stream(), says.updated(&bob, bob), []notify.Notification{mentioned(bob)}},
		"comment deleted":            {bob, says.stream(), domain.CommentDeleted{CommentID: says.id, OwnerID: ann}, nil},

		"project given to other": {bob, p.stream(), domain.ProjectUpdated{ProjectID: p.id, OwnerID: ann}, nil},
	} {
		r := recorded(t, c.by, c.stream, c.event)
		got, err := notify.Of(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i := range got {
			if got[i].Seq != r.Seq || got[i].Tenant != r.Tenant || !got[i].CreatedAt.Equal(r.At) || got[i].ID.IsZero() || got[i].ReadAt != nil {
				t.Errorf("%s: got %+v", name, got[i])
			}
		}
		if !slices.EqualFunc(got, c.want, sameMessage) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, c.want)
		}
	}
}

// sameMessage compares what the rules decide, not where and when it was.
func sameMessage(a, b notify.Notification) bool {
	return a.User == b.User && a.Actor == b.Actor && a.Kind == b.Kind && a.Reason == b.Reason &&
		a.EntityType == b.EntityType && a.EntityID == b.EntityID && *a.ProjectID == *b.ProjectID &&
		a.Title == b.Title && a.Body == b.Body
}

func recorded(t *testing.T, by domain.UserID, s domain.StreamID, e domain.Event) domain.Recorded {
	r := domain.Recorded{
		Tenant: newID[domain.TenantID](t), Seq: 7, Stream: s, Version: 1, Actor: by, Event: e,
		At: time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC),
	}
	if !by.IsZero() {
		name := domain.About(by, "Ann")
		r.Meta.ActorName = &name
	}
	return r
}

type strange struct{}

func (strange) EventType() string { return "task.archived" }

// A damaged body is an error, not a notification without a text.
func TestDamagedComment(t *testing.T) {
	t.Parallel()
	ann, bob := newID[domain.UserID](t), newID[domain.UserID](t)
	says := comment{newID[domain.CommentID](t), task{newID[domain.TaskID](t), project{newID[domain.ProjectID](t), ann}}}
	e := says.updated(nil, bob).(domain.CommentUpdated)
	e.Changes[0].To = []byte(`7`)
	if list, err := notify.Of(recorded(t, ann, says.stream(), e)); err == nil {
		t.Errorf("got %+v, want an error", list)
	}
}

func TestEventWithoutARow(t *testing.T) {
	t.Parallel()
	if _, err := notify.Of(domain.Recorded{Event: strange{}}); !errors.Is(err, domain.ErrUnknownEvent) {
		t.Errorf("got %v, want ErrUnknownEvent", err)
	}
}

// The same notification has the same id at every attempt, others have others,
// and it sorts by the event's time.
func TestIdentity(t *testing.T) {
	t.Parallel()
	ann, bob := newID[domain.UserID](t), newID[domain.UserID](t)
	k := task{newID[domain.TaskID](t), project{newID[domain.ProjectID](t), ann}}
	first := recorded(t, ann, k.stream(), k.created(&bob))
	id := func(r domain.Recorded) domain.NotificationID {
		list, err := notify.Of(r)
		if err != nil || len(list) != 1 {
			t.Fatalf("got %v and %v", list, err)
		}
		return list[0].ID
	}
	if once, again := id(first), id(first); once != again {
		t.Errorf("the id is %s at one attempt, %s at another", once, again)
	}
	u := id(first).UUID()
	sec, nsec := u.Time().UnixTime()
	if u.Version() != 7 || u.Variant().String() != "RFC4122" || time.Unix(sec, nsec).UnixMilli() != first.At.UnixMilli() {
		t.Errorf("%s is version %d, %s, of %s", u, u.Version(), u.Variant(), time.Unix(sec, nsec))
	}
	seen := map[domain.NotificationID]bool{id(first): true}
	for name, change := range map[string]func(*domain.Recorded){
		"tenant": func(r *domain.Recorded) { r.Tenant = newID[domain.TenantID](t) },
		"seq":    func(r *domain.Recorded) { r.Seq++ },
		"user":   func(r *domain.Recorded) { carl := newID[domain.UserID](t); r.Event = k.created(&carl) },
	} {
		other := first
		change(&other)
		if seen[id(other)] {
			t.Errorf("another %s gives the same id", name)
		}
		seen[id(other)] = true
	}
}
