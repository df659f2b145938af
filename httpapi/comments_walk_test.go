package httpapi

import (
	"strings"
	"testing"

	"docket/domain"
	"docket/notify"
)

// Comments: written, read, changed and taken back, by those who may.
func TestCommentsWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	member, manager, owner, viewer := c.as(domain.Member), c.as(domain.Manager), c.as(domain.Owner), c.as(domain.Viewer)
	project := manager.project("Site")
	task := manager.task(project.ID, "Copy")
	comments := "/v1/tasks/" + task.ID.String() + "/comments"

	made := member.post(comments, `{"body":"Too <long> & 漢字\n\tby half"}`).want(201)
	comment := as[commentBody](made)
	at := "/v1/comments/" + comment.ID.String()
	if comment.TaskID != task.ID || comment.ProjectID != project.ID || comment.Body != "Too <long> & 漢字\n\tby half" ||
		comment.AuthorID != member.id || comment.Version != 1 || !comment.CreatedAt.Equal(comment.UpdatedAt) {
		t.Errorf("%+v", comment)
	}
	if made.Header().Get("Location") != at || made.Header().Get("ETag") != `"1"` {
		t.Error(made.Header())
	}
	if got := member.get(at).want(200); got.Body.String() != made.Body.String() || got.Header().Get("ETag") != `"1"` {
		t.Errorf("written and read differ:\n%s\n%s", made.Body, got.Body)
	}
	manager.post(comments, `{"body":"Second"}`).want(201)
	third := as[commentBody](member.post(comments, `{"body":"Third"}`).want(201))
	bodies := func(p person) string {
		t.Helper()
		var all []string
		for _, c := range items[commentBody](p.get(comments)) {
			all = append(all, c.Body)
		}
		return strings.Join(all, "; ")
	}
	if got := bodies(member); got != "Too <long> & 漢字\n\tby half; Second; Third" {
		t.Errorf("got %q", got)
	}

	// A cursor is of one task's comments.
	cursor := *as[page](member.get(comments + "?limit=1").want(200)).NextCursor
	if got := items[commentBody](member.get(comments + "?cursor=" + cursor)); len(got) != 2 || got[0].Body != "Second" {
		t.Errorf("the second page: %+v", got)
	}
	other := manager.task(project.ID, "Other")
	member.get("/v1/tasks/" + other.ID.String() + "/comments?cursor=" + cursor).refused(domain.CodeCursorInvalid)

	edited := member.patch(at, `{"body":"First"}`, "If-Match", `"1"`).want(200)
	if got := as[commentBody](edited); got.Body != "First" || got.Version != 2 || !got.CreatedAt.Equal(comment.CreatedAt) || !got.UpdatedAt.After(got.CreatedAt) {
		t.Errorf("%+v", got)
	}
	if got := bodies(member); got != "First; Second; Third" { // where it stood
		t.Errorf("got %q", got)
	}
	before := w.events()
	for _, nothing := range []string{`{}`, `{"body":"First"}`} {
		if same := member.patch(at, nothing).want(200); same.seq() != edited.seq() || same.Header().Get("ETag") != `"2"` {
			t.Error(same.Header())
		}
	}
	if w.events() != before {
		t.Error("a change of nothing is an event")
	}
	member.patch(at, `{"body":"x"}`, "If-Match", `"1"`).refused(domain.CodeVersionConflict, "current_version", "2")
	member.patch(at, `{"body":null}`).invalid("/body type")
	member.patch(at, `{"body":" \n"}`).invalid("/body too_short")
	member.patch(at, `{"task_id":"`+task.ID.String()+`"}`).invalid("/task_id unknown")
	member.post(comments, `{}`).invalid("/body required")
	manager.patch(at, `{"body":"x"}`).refused(domain.CodeNotYours)
	owner.patch(at, `{"body":"x"}`, "If-Match", `"9"`).refused(domain.CodeNotYours) // before 412
	viewer.post(comments, `{"body":"x"}`).refused(domain.CodeInsufficientRole, "required_role", `"member"`, "your_role", `"viewer"`)
	member.post("/v1/tasks/"+random()+"/comments", `{"body":"x"}`).refused(domain.CodeNotFound)
	member.get("/v1/tasks/" + random() + "/comments").refused(domain.CodeNotFound)
	member.get("/v1/comments/" + task.ID.String()).refused(domain.CodeNotFound)

	// A member takes back what they said, a manager anything.
	second := items[commentBody](member.get(comments))[1]
	member.delete("/v1/comments/" + second.ID.String()).refused(domain.CodeNotYours)
	manager.delete("/v1/comments/"+third.ID.String(), "If-Match", `"9"`).refused(domain.CodeVersionConflict, "current_version", "1")
	manager.delete("/v1/comments/" + third.ID.String()).want(204)
	member.delete(at, "If-Match", `"2"`).want(204)
	for _, gone := range []*answer{member.get(at), member.patch(at, `{"body":"x"}`), member.delete(at)} {
		gone.refused(domain.CodeNotFound)
	}
	if got := bodies(member); got != "Second" {
		t.Errorf("got %q", got)
	}

	// All of it stands in the activity log, under the project.
	w.caughtUp(c.id, owner.patch("/v1/admin/tenant", `{"name":"Acme!"}`).want(200).seq())
	var said []string
	for _, a := range items[activityBody](owner.get("/v1/admin/activity?entity_type=comment&entity_id=" + comment.ID.String())) {
		said = append(said, a.Summary)
		if a.EntityType != domain.CommentStream || a.ProjectID == nil || *a.ProjectID != project.ID || *a.ActorID != member.id {
			t.Errorf("%+v", a)
		}
	}
	if got := strings.Join(said, "; "); got != `Acme member commented on task "Copy" in project "Site"; `+
		`Acme member changed the body of a comment on task "Copy" in project "Site"; `+
		`Acme member deleted a comment on task "Copy" in project "Site"` {
		t.Error(got)
	}

	// In a closed project comments can be read, not written; with the task they go.
	at = "/v1/comments/" + second.ID.String()
	manager.move(project.ID, domain.Cancelled)
	for _, closed := range []*answer{manager.post(comments, `{"body":"x"}`), manager.patch(at, `{"body":"x"}`), manager.delete(at)} {
		closed.refused(domain.CodeProjectClosed, "current_status", `"cancelled"`)
	}
	manager.get(at).want(200)
	owner.move(project.ID, domain.Draft)
	manager.delete("/v1/tasks/" + task.ID.String()).want(204)
	for _, gone := range []*answer{manager.get(at), manager.patch(at, `{"body":"x"}`), manager.delete(at), manager.get(comments), manager.post(comments, `{"body":"x"}`)} {
		gone.refused(domain.CodeNotFound)
	}
}

// "@" and the address of a member is a mention. Each mentioned member is notified once.
func TestMentionsWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	member, manager, viewer := c.as(domain.Member), c.as(domain.Manager), c.as(domain.Viewer)
	stranger := w.user("Stranger")
	task := as[taskBody](manager.post("/v1/projects/"+manager.project("Site").ID.String()+"/tasks",
		`{"title":"Copy","assignee_id":"`+manager.id.String()+`"}`).want(201))
	say := func(body string) commentBody {
		t.Helper()
		return member.comment(task.ID, body)
	}
	notified := func(p person) (kinds []notify.Kind) {
		t.Helper()
		w.caughtUp(c.id, c.as(domain.Owner).patch("/v1/admin/tenant", `{"name":"`+random()+`"}`).want(200).seq())
		for _, n := range items[notificationBody](p.get("/v1/notifications")) {
			kinds = append(kinds, n.Kind)
		}
		return kinds
	}
	comment := say("See @" + strings.ToUpper(viewer.email) + ", @" + member.email + ", @" + stranger.email + " and @unknown@example.org.")
	if got := notified(viewer); len(got) != 1 || got[0] != notify.Mention {
		t.Errorf("the viewer is notified of %v", got)
	}
	if got := notified(manager); len(got) != 1 || got[0] != notify.TaskCommented { // the assignee
		t.Errorf("the manager is notified of %v", got)
	}
	if got := notified(member); len(got) != 0 {
		t.Errorf("the author is notified of their own comment: %v", got)
	}
	if got := items[notificationBody](stranger.get("/v1/notifications")); len(got) != 0 {
		t.Errorf("a stranger is notified of %v", got)
	}
	// An edit notifies only the members that it mentions for the first time.
	member.patch("/v1/comments/"+comment.ID.String(), jsonOf(map[string]any{"body": "@" + viewer.email + " @" + manager.email})).want(200)
	if got := notified(viewer); len(got) != 1 {
		t.Errorf("the viewer is notified of %v", got)
	}
	if got := notified(manager); len(got) != 2 || got[0] != notify.Mention {
		t.Errorf("the manager is notified of %v", got)
	}
}
