package httpapi

import (
	"strings"
	"testing"

	"docket/domain"
	"docket/projections"
)

// Commands work without subscriptions, because they decide on the log. Roles, histories
// and the raw log work too. The read models show everything once the subscriptions run.
func TestWithoutSubscriptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.user("Ann"), w.user("Bob")
	w.caughtUp(as[currentUserBody](ann.get("/v1/me").want(200)).Memberships[0].TenantID, 3)
	w.stop()
	w.server.queries.OwnWait, w.server.inbox.OwnWait = projections.OwnWait, projections.OwnWait
	acme := as[tenantBody](ann.post("/v1/tenants", `{"name":"Acme","slug":"acme"}`).want(201)).ID
	ann, bob = ann.in(acme), bob.in(acme)
	ann.post("/v1/members", `{"email":"`+bob.email+`","role":"member"}`).want(201)
	ann.post("/v1/members", `{"email":"`+bob.email+`","role":"member"}`).refused(domain.CodeAlreadyMember)
	project := bob.project("Site")
	at := "/v1/projects/" + project.ID.String()
	task := bob.task(project.ID, "Copy")
	bob.patch("/v1/tasks/"+task.ID.String(), `{"status":"done"}`, "If-Match", `"1"`).want(200)
	ann.patch("/v1/tasks/"+task.ID.String(), `{"assignee_id":"`+bob.id.String()+`"}`).want(200)
	bob.post(at+"/transitions", `{"to":"submitted"}`).want(200)
	ann.patch("/v1/members/"+bob.id.String(), `{"role":"viewer"}`).want(200)
	bob.post(at+"/transitions", `{"to":"draft"}`).refused(domain.CodeInsufficientRole, "required_role", `"member"`, "your_role", `"viewer"`)
	ann.delete("/v1/members/" + ann.id.String()).refused(domain.CodeLastOwner)
	ann.post("/v1/tenants", `{"name":"Acme","slug":"acme"}`).refused(domain.CodeSlugTaken)

	if events := items[LogEventBody](ann.get("/v1/admin/events")); len(events) != 9 {
		t.Errorf("%d events", len(events))
	}
	if history := items[historyItemBody](bob.get("/v1/tasks/" + task.ID.String() + "/history")); len(history) != 3 {
		t.Errorf("%d events of the task", len(history))
	}
	bob.get(at).refused(domain.CodeNotFound)
	bob.get("/v1/tasks/" + task.ID.String()).refused(domain.CodeNotFound)
	if a := ann.get("/v1/admin/tenant"); a.isnt(domain.CodeReadModelLagging) != "" || a.Header().Get("Retry-After") != "1" {
		t.Errorf("%d %v %s", a.Code, a.Header(), a.Body)
	}
	for _, target := range []string{"/v1/projects", "/v1/members", "/v1/notifications", "/v1/admin/activity"} {
		if got := strings.TrimSpace(ann.get(target).want(200).Body.String()); got != `{"items":[],"next_cursor":null}` {
			t.Errorf("%s: %s", target, got)
		}
	}
	if got := as[currentUserBody](ann.get("/v1/me").want(200)).Memberships; len(got) != 1 {
		t.Errorf("%+v", got)
	}

	w.resume()
	w.caughtUp(acme, 9)
	if got := as[projectBody](bob.get(at).want(200)); got.Status != domain.Submitted || got.Version != 2 {
		t.Errorf("%+v", got)
	}
	if got := items[notificationBody](bob.get("/v1/notifications")); len(got) != 1 || got[0].Title != `Task "Copy" is assigned to you` {
		t.Errorf("%+v", got)
	}
	if got := items[activityBody](ann.get("/v1/admin/activity")); len(got) != 9 {
		t.Errorf("%d lines", len(got))
	}
	if got := as[currentUserBody](bob.get("/v1/me").want(200)).Memberships; len(got) != 2 || got[1].Role != domain.Viewer {
		t.Errorf("%+v", got)
	}
	ann.get("/v1/admin/tenant").want(200)
}
