package domain_test

import (
	"fmt"
	"reflect"
	"testing"

	"docket/domain"
)

// samples is one event of each type, equal to its golden file. No field is empty, so
// that the file shows each.
var samples = []domain.Event{
	domain.TenantCreated{
		Name: "Harbour <East> & Söhne", Slug: "harbour-east", Registration: domain.RegistrationOpen,
		DefaultRole: domain.Member, Channel: domain.ChannelInApp, AwaitsFounder: true,
	},
	domain.TenantUpdated{Name: "Port", Changes: []domain.Change{
		{Field: "name", From: []byte(`"Harbour"`), To: []byte(`"Port"`)},
		{Field: "registration", From: []byte(`"open"`), To: []byte(`"closed"`)},
		{Field: "default_role", From: []byte(`"member"`), To: []byte(`"viewer"`)},
		{Field: "default_notification_channel", From: []byte(`"in_app"`), To: []byte(`"slack"`)},
		{Field: "email_from", From: []byte(`null`), To: []byte(`"port@example.org"`)},
		{Field: "slack_webhook", From: []byte(`null`), To: []byte(`"` + webhookID.String() + `"`)},
		{Field: "four_eyes", From: []byte(`false`), To: []byte(`true`)},
	}},
	domain.TenantFounded{Name: "Harbour", OwnerID: person(1)},
	domain.TenantEpochBegun{Epoch: domain.EpochID{1: 1}, Reason: "restored from the backup of Monday"},
	domain.UserRegistered{
		Email: domain.About(person(1), "one+tag@example.org"), Name: domain.About(person(1), `Person "One"`),
	},
	userRenamed(`Person "One"`, "Person <1>"),
	joinedAt(domain.Manager, 3),
	changedRole(domain.Manager, domain.Owner),
	memberRenamed("Person 1", "Person One", 2),
	left(domain.Auditor),
	projectCreated(),
	projectUpdated(true),
	projectMoved(7, true),
	projectDeleted(domain.Cancelled),
	taskCreated(),
	taskUpdated("Dredge", ptr(person(6)),
		domain.Change{Field: "title", From: []byte(`"Survey"`), To: []byte(`"Dredge"`)},
		domain.Change{Field: "description", From: []byte(`"By boat"`), To: []byte(`null`)},
		domain.Change{Field: "status", From: []byte(`"todo"`), To: []byte(`"in_progress"`)},
		domain.Change{Field: "priority", From: []byte(`"high"`), To: []byte(`"urgent"`)},
		domain.Change{Field: "assignee_id", From: []byte(`null`), To: []byte(`"` + person(6).String() + `"`)},
		domain.Change{Field: "labels", From: []byte(`["sea","bed"]`), To: []byte(`[]`)},
		domain.Change{Field: "due_date", From: []byte(`"2026-12-01"`), To: []byte(`null`)},
	)[0],
	taskDeleted(),
	commentCreated("Too deep:\n\t@two@example.org <&>", person(2)),
	commentUpdated("Too deep", "Deep enough, @six@example.org", person(6)),
	commentDeleted(),
	domain.APIKeyCreated{
		AccountID: person(7), Name: "CI <east>", Role: domain.Member, Actions: []domain.Action{domain.TaskCreate, domain.TaskRead},
		Secret: webhookID, Prefix: "abcd2345", ExpiresAt: "2027-02-28T12:00:00Z",
	},
	domain.APIKeyRotated{
		AccountID: person(7), Name: "CI <east>", Secret: webhookID, Prefix: "efgh2345",
		ExpiresAt: "2027-05-28T12:00:00Z", PreviousUntil: "2027-03-01T12:00:00.5Z",
	},
	domain.APIKeyRevoked{AccountID: person(7), Name: "CI <east>"},
	domain.SubscriptionEventSkipped{Subscription: "tasks", Seq: 7, Operator: "on-call", Reason: "names <no> task"},
	domain.SubscriptionResumed{Subscription: "tasks", Seq: 7, Operator: "on-call", Reason: "mended & deployed"},
}

func projectUpdated(afterApproval bool) domain.Event {
	return domain.ProjectUpdated{ProjectID: projectID, Name: "Mole", OwnerID: person(5), Changes: []domain.Change{
		{Field: "name", From: []byte(`"Quay"`), To: []byte(`"Mole"`)},
		{Field: "description", From: []byte(`"Deepen it"`), To: []byte(`null`)},
		{Field: "visibility", From: []byte(`"private"`), To: []byte(`"public"`)},
		{Field: "due_date", From: []byte(`null`), To: []byte(`"2026-12-31"`)},
		{Field: "owner_id", From: []byte(`"` + person(1).String() + `"`), To: []byte(`"` + person(5).String() + `"`)},
	}, AfterApproval: afterApproval}
}

func projectMoved(approvedVersion int, afterEdit bool) domain.Event {
	return domain.ProjectStatusChanged{
		ProjectID: projectID, Name: "Quay", OwnerID: person(1), From: domain.Submitted, To: domain.Rejected,
		Comment: ptr("Too dear:\n\t🚢 > ⛵"), ApprovedVersion: approvedVersion, AfterEdit: afterEdit,
	}
}

// olderSamples are the decoded golden files of older schema versions that lack fields
// of the newest.
var olderSamples = map[string]domain.Event{
	"member.joined.v1":          joinedAt(domain.Manager, 0),
	"project.updated.v1":        projectUpdated(false),
	"project.status_changed.v1": projectMoved(0, false),
}

// sampleAs is the sample of a type as decoded from one of its schema versions.
func sampleAs(t tester, d domain.Definition, version int) domain.Event {
	t.Helper()
	if version == d.Reads {
		return sampleOf(t, d.Type)
	}
	name := fmt.Sprintf("%s.v%d", d.Type, version)
	e, ok := olderSamples[name]
	if !ok {
		t.Fatalf("%s has no sample", name)
	}
	return e
}

// sampleOf is the sample of a type.
func sampleOf(t tester, eventType string) domain.Event {
	t.Helper()
	for _, e := range samples {
		if e.EventType() == eventType {
			return e
		}
	}
	t.Fatalf("%s has no sample", eventType)
	return nil
}

func TestSamplesFillEveryField(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range samples {
		if seen[e.EventType()] {
			t.Errorf("%s has two samples", e.EventType())
		}
		seen[e.EventType()] = true
		for f, v := range reflect.ValueOf(e).Fields() {
			if v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 {
				t.Errorf("the sample of %s has an empty field %s", e.EventType(), f.Name)
			}
		}
	}
}

// The samples' changes have every field, so that the test shows that the fold handles each.
func TestSamplesChangeEveryField(t *testing.T) {
	t.Parallel()
	for _, e := range samples {
		var changes []domain.Change
		var state any
		switch e := e.(type) {
		case domain.TenantUpdated:
			changes, state = e.Changes, fold[domain.Tenant](t, tenants.stream, tenants.author, sampleOf(t, "tenant.created"), e)
		case domain.ProjectUpdated:
			changes, state = e.Changes, fold[domain.Project](t, projects.stream, projects.author, projectCreated(), e)
		case domain.TaskUpdated:
			changes, state = e.Changes, fold[domain.Task](t, tasks.stream, tasks.author, taskCreated(), e)
		case domain.CommentUpdated:
			changes, state = e.Changes, fold[domain.Comment](t, comments.stream, comments.author, commentCreated("Too deep"), e)
		default:
			continue
		}
		for _, c := range changes {
			if got := snapshot(t, stateField(t, state, c.Field)); got != string(c.To) {
				t.Errorf("%s: %s is %s after the change, want %s", e.EventType(), c.Field, got, c.To)
			}
		}
	}
}

// stateField is the field of a state that has a JSON name in events.
func stateField(t tester, state any, name string) any {
	t.Helper()
	goName := map[string]string{
		"name": "Name", "description": "Description", "visibility": "Visibility", "due_date": "DueDate", "owner_id": "OwnerID",
		"title": "Title", "status": "Status", "priority": "Priority", "assignee_id": "AssigneeID", "labels": "Labels",
		"registration": "Registration", "default_role": "DefaultRole", "default_notification_channel": "Channel",
		"email_from": "EmailFrom", "slack_webhook": "SlackWebhook", "four_eyes": "FourEyes", "require_verified_email": "RequireVerifiedEmail", "body": "Body",
	}[name]
	v := reflect.ValueOf(state).FieldByName(goName)
	if !v.IsValid() {
		t.Fatalf("%T has no field for %q", state, name)
	}
	return v.Interface()
}
