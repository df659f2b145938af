package projections

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"docket/domain"
	"docket/internal/tenanttest"
)

func TestLines(t *testing.T) {
	t.Parallel()
	ann, bob := tenanttest.NewID[domain.UserID](t), tenanttest.NewID[domain.UserID](t)
	tenant, project, task, comment := tenanttest.NewID[domain.TenantID](t), tenanttest.NewID[domain.ProjectID](t), tenanttest.NewID[domain.TaskID](t), tenanttest.NewID[domain.CommentID](t)
	about := func(u domain.UserID) domain.Personal {
		return domain.About(u, map[domain.UserID]string{ann: "Ann", bob: "Bob\nB"}[u])
	}
	status := []domain.Change{{Field: "status", From: json.RawMessage(`"draft"`), To: json.RawMessage(`"submitted"`)}}
	role := []domain.Change{{Field: "role", From: json.RawMessage(`"member"`), To: json.RawMessage(`"owner"`)}}
	name := []domain.Change{{Field: "name", From: json.RawMessage(`"Bob\nB"`), To: json.RawMessage(`"<\"B\">"`)}}
	body := []domain.Change{{Field: "body", From: json.RawMessage(`"a"`), To: json.RawMessage(`"b"`)}}
	edits := []domain.Change{
		{Field: "name", From: json.RawMessage(`"a"`), To: json.RawMessage(`"b"`)},
		{Field: "due_date", From: json.RawMessage(`null`), To: json.RawMessage(`"2026-12-24"`)},
		{Field: "owner_id", From: json.RawMessage(`null`), To: json.RawMessage(`null`)},
	}
	tenantStream, memberStream := domain.Stream(domain.TenantStream, tenant), domain.Stream(domain.MemberStream, bob)
	projectStream, taskStream := domain.Stream(domain.ProjectStream, project), domain.Stream(domain.TaskStream, task)
	commentStream := domain.Stream(domain.CommentStream, comment)
	keyStream := domain.Stream(domain.APIKeyStream, bob)
	subscriptionStream := domain.Stream(domain.SubscriptionStream, comment)
	due, text := domain.Date("2026-12-24"), "a"
	cases := []struct {
		actor   domain.UserID
		stream  domain.StreamID
		event   domain.Event
		summary string
		project bool
		changes []domain.Change
	}{
		{ann, tenantStream, domain.TenantCreated{Name: "Acme"}, `Ann created the tenant "Acme"`, false, nil},
		{domain.UserID{}, tenantStream, domain.TenantCreated{Name: "Acme"}, `The system created the tenant "Acme"`, false, nil},
		{ann, tenantStream, domain.TenantUpdated{Name: "Acme", Changes: edits[:1]}, `Ann changed the name of the tenant "Acme"`, false, edits[:1]},
		{ann, tenantStream, domain.TenantFounded{Name: "Acme"}, `Ann became the first owner of the tenant "Acme"`, false, nil},
		{domain.UserID{}, tenantStream, domain.TenantEpochBegun{Reason: "restored"}, `The system recorded that earlier events may be lost: "restored"`, false, nil},
		{bob, domain.Stream(domain.UserStream, bob), domain.UserRegistered{Name: about(bob)}, `Bob B registered as "Bob\nB"`, false, nil},
		{bob, domain.Stream(domain.UserStream, bob), domain.UserRenamed{From: about(bob), Name: domain.About(bob, `<"B">`)}, `Bob B changed their name from "Bob\nB" to "<\"B\">"`, false, name},
		{bob, memberStream, domain.MemberRenamed{UserID: bob, From: about(bob), Name: domain.About(bob, `<"B">`)}, `Bob B changed their name from "Bob\nB" to "<\"B\">"`, false, name},
		{bob, memberStream, domain.MemberJoined{UserID: bob, Name: about(bob), Role: domain.Member}, `Bob B joined as member`, false, nil},
		{ann, memberStream, domain.MemberJoined{UserID: bob, Name: about(bob), Role: domain.Member}, `Ann added Bob B as member`, false, nil},
		{ann, memberStream, domain.MemberRoleChanged{UserID: bob, Name: about(bob), From: domain.Member, To: domain.Owner}, `Ann changed the role of Bob B from member to owner`, false, role},
		{bob, memberStream, domain.MemberLeft{UserID: bob, Name: about(bob)}, `Bob B left`, false, nil},
		{ann, memberStream, domain.MemberLeft{UserID: bob, Name: about(bob)}, `Ann removed Bob B`, false, nil},
		{ann, memberStream, domain.MemberLeft{UserID: bob}, `Ann removed somebody`, false, nil},
		{ann, projectStream, domain.ProjectCreated{ProjectID: project, Name: "Website"}, `Ann created project "Website"`, true, nil},
		{ann, projectStream, domain.ProjectCreated{ProjectID: project, Name: "Website", Visibility: domain.Public, DueDate: &due}, `Ann created project "Website"`, true, []domain.Change{
			{Field: "visibility", From: json.RawMessage(`"private"`), To: json.RawMessage(`"public"`)}, {Field: "due_date", From: json.RawMessage(`null`), To: json.RawMessage(`"2026-12-24"`)},
		}},
		{ann, taskStream, domain.TaskCreated{TaskID: task, ProjectID: project, ProjectName: "Website", Title: "Draw", Description: &text, Priority: domain.Normal, AssigneeID: &bob, Labels: []string{"<a>"}},
			`Ann created task "Draw" in project "Website"`, true, []domain.Change{
				{Field: "description", From: json.RawMessage(`null`), To: json.RawMessage(`"a"`)}, {Field: "assignee_id", From: json.RawMessage(`null`), To: json.RawMessage(`"` + bob.String() + `"`)},
				{Field: "labels", From: json.RawMessage(`[]`), To: json.RawMessage(`["<a>"]`)},
			}},
		{ann, projectStream, domain.ProjectUpdated{ProjectID: project, Name: `The "site"`, Changes: edits}, `Ann changed the name, due date and owner of project "The \"site\""`, true, edits},
		{ann, projectStream, domain.ProjectStatusChanged{ProjectID: project, Name: "Website", From: domain.Draft, To: domain.Submitted}, `Ann moved project "Website" from draft to submitted`, true, status},
		{ann, projectStream, domain.ProjectDeleted{ProjectID: project, Name: "Website"}, `Ann deleted project "Website"`, true, nil},
		{ann, taskStream, domain.TaskCreated{TaskID: task, ProjectID: project, ProjectName: "Website", Title: "Draw"}, `Ann created task "Draw" in project "Website"`, true, nil},
		{ann, taskStream, domain.TaskUpdated{TaskID: task, ProjectID: project, ProjectName: "Website", Title: "Draw", Changes: edits[1:]}, `Ann changed the due date and owner of task "Draw" in project "Website"`, true, edits[1:]},
		{ann, taskStream, domain.TaskDeleted{TaskID: task, ProjectID: project, ProjectName: "Website", Title: "Draw"}, `Ann deleted task "Draw" from project "Website"`, true, nil},
		{ann, commentStream, domain.CommentCreated{CommentID: comment, TaskID: task, ProjectID: project, ProjectName: "Website", Title: "Draw"}, `Ann commented on task "Draw" in project "Website"`, true, nil},
		{ann, commentStream, domain.CommentUpdated{CommentID: comment, TaskID: task, ProjectID: project, ProjectName: "Website", Title: "Draw", Changes: body}, `Ann changed the body of a comment on task "Draw" in project "Website"`, true, body},
		{ann, commentStream, domain.CommentDeleted{CommentID: comment, TaskID: task, ProjectID: project, ProjectName: "Website", Title: "Draw"}, `Ann deleted a comment on task "Draw" in project "Website"`, true, nil},
		{ann, keyStream, domain.APIKeyCreated{AccountID: bob, Name: "CI", Role: domain.Member, ExpiresAt: "2027-01-01T00:00:00Z"}, `Ann created the service account "CI" as member, with an API key that expires at 2027-01-01T00:00:00Z`, false, nil},
		{ann, keyStream, domain.APIKeyRotated{AccountID: bob, Name: "CI", ExpiresAt: "2027-02-01T00:00:00Z", PreviousUntil: "2027-01-02T00:00:00Z"}, `Ann gave the service account "CI" another API key, which expires at 2027-02-01T00:00:00Z; the one before is valid until 2027-01-02T00:00:00Z`, false, nil},
		{ann, keyStream, domain.APIKeyRevoked{AccountID: bob, Name: "CI"}, `Ann ended the service account "CI" with its API keys`, false, nil},
		{domain.UserID{}, subscriptionStream, domain.SubscriptionEventSkipped{Subscription: "tasks", Seq: 7, Operator: "on-call", Reason: `no "task"`}, `The system left event 7 out of tasks, as the operator "on-call" asked: "no \"task\""`, false, nil},
		{domain.UserID{}, subscriptionStream, domain.SubscriptionResumed{Subscription: "tasks", Seq: 7, Operator: "on-call", Reason: "mended"}, `The system tried event 7 again for tasks, as the operator "on-call" asked: "mended"`, false, nil},
	}
	rendered := map[string]bool{}
	for _, c := range cases {
		name := about(c.actor)
		r := domain.Recorded{Tenant: tenant, Seq: 3, Stream: c.stream, Actor: c.actor, Event: c.event, Meta: domain.Meta{ActorName: &name}}
		rendered[c.event.EventType()] = true
		got, err := Describe(r)
		if err != nil {
			t.Errorf("%s: %v", c.event.EventType(), err)
			continue
		}
		for _, change := range got.Changes {
			if change.Field != "owner_id" && !slices.Contains(changing[c.event.EventType()], change.Field) {
				t.Errorf("%s changes %s, which isn't among those that it may", c.event.EventType(), change.Field)
			}
		}
		want := Line{Summary: c.summary, Changes: c.changes}
		if c.changes == nil {
			want.Changes = []domain.Change{}
		}
		if c.project {
			want.ProjectID = &project
		}
		same(t, got, want)
		if strings.ContainsAny(got.Summary, "\n\r") {
			t.Errorf("%s: more than one line: %q", c.event.EventType(), got.Summary)
		}
	}
	for _, d := range domain.Definitions() {
		if !rendered[d.Type] {
			t.Errorf("%s has no case here", d.Type)
		}
	}
}
