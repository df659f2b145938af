package httpapi

import (
	"testing"

	"docket/domain"
)

// A role that was taken away through one replica isn't obeyed by another, which
// still has it in memory; one that was given is.
func TestRolesOnTwoReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	other := w.replica()
	owner, manager := c.as(domain.Owner), c.as(domain.Manager)
	project := "/v1/projects/" + manager.project("Site").ID.String()
	task := "/v1/tasks/" + as[taskBody](manager.post(project+"/tasks", `{"title":"Copy"}`).want(201)).ID.String()
	there := manager.at(other)
	role := func(r domain.Role) *answer {
		t.Helper()
		return owner.patch("/v1/members/"+manager.id.String(), jsonOf(map[string]any{"role": r})).want(200)
	}
	writes := func() map[string]*answer {
		return map[string]*answer{
			"create": there.post("/v1/projects", `{"name":"x"}`),
			"edit":   there.patch(project, `{"due_date":"2027-01-01"}`),
			"move":   there.post(project+"/transitions", `{"to":"submitted"}`),
			"task":   there.post(project+"/tasks", `{"title":"x"}`),
			"retask": there.patch(task, `{"title":"y"}`),
			"delete": there.delete(task),
		}
	}
	reads := []string{"/v1/projects", project, project + "/tasks", project + "/history", project + "/transitions", task + "/history", "/v1/members", "/v1/notifications"}

	for range 3 {
		w.caughtUp(c.id, role(domain.Manager).seq())
		there.post("/v1/projects", `{"name":"x"}`).want(201)
		for _, target := range reads {
			there.get(target).want(200)
		}
		before := w.events()
		role(domain.Viewer)
		for name, a := range writes() {
			if wrong := a.isnt(domain.CodeInsufficientRole, "your_role", `"viewer"`); wrong != "" {
				t.Errorf("%s: %s: got %d %s", name, wrong, a.Code, a.Body)
			}
		}
		if n := w.events() - before; n != 1 {
			t.Errorf("%d events, want the change of the role alone", n)
		}
		for _, target := range reads {
			there.get(target).want(200)
		}
		for _, step := range items[availableTransitionBody](there.get(project + "/transitions")) {
			if step.Allowed {
				t.Errorf("the API says that a viewer may move the project to %s", step.To)
			}
		}
		there.get("/v1/admin/activity").refused(domain.CodeInsufficientRole)

		// Promoted here; refused there only as long as the log says so.
		role(domain.Auditor)
		there.get("/v1/admin/activity").want(200)
		role(domain.Viewer)
		there.get("/v1/admin/activity").refused(domain.CodeInsufficientRole)
		role(domain.Owner)
		there.get("/v1/admin/tenant").want(200)
		there.patch("/v1/admin/tenant", `{"default_role":"viewer"}`).want(200)
		there.patch("/v1/admin/tenant", `{"default_role":"member"}`).want(200)
	}
	w.caughtUp(c.id, role(domain.Manager).seq())
	there.patch(project, `{"due_date":null}`).want(200)

	owner.delete("/v1/members/" + manager.id.String()).want(204)
	for name, a := range writes() {
		if wrong := a.isnt(domain.CodeTenantAccessDenied); wrong != "" {
			t.Errorf("%s by one who was removed: %s: got %d %s", name, wrong, a.Code, a.Body)
		}
	}
	owner.post("/v1/members", jsonOf(map[string]any{"email": manager.email, "role": domain.Member})).want(201)
	there.get(project).want(200)
	for _, target := range append(reads, "/v1/admin/tenant", "/v1/admin/activity", "/v1/admin/events") {
		owner.delete("/v1/members/" + manager.id.String()).want(204)
		there.get(target).refused(domain.CodeTenantAccessDenied)
		owner.post("/v1/members", jsonOf(map[string]any{"email": manager.email, "role": domain.Owner})).want(201)
		there.get(target).want(200)
	}
	for _, mark := range []string{"/v1/notifications/read-all", "/v1/notifications/" + random() + "/read"} {
		owner.delete("/v1/members/" + manager.id.String()).want(204)
		there.post(mark, "").refused(domain.CodeTenantAccessDenied)
		owner.post("/v1/members", jsonOf(map[string]any{"email": manager.email, "role": domain.Viewer})).want(201)
	}
}

// What one replica has in memory of projects, tasks and tenants never decides a
// command on what another has changed since.
func TestCommandsOnTwoReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner := c.as(domain.Owner)
	there := owner.at(w.replica())
	project := owner.project("Site")
	at := "/v1/projects/" + project.ID.String()
	for i, to := range []domain.Status{domain.Submitted, domain.Approved, domain.Active, domain.OnHold, domain.Active, domain.Completed, domain.Archived} {
		p := []person{there, owner}[i%2]
		moved := as[projectBody](p.post(at+"/transitions", jsonOf(map[string]any{"to": to})).want(200))
		if moved.Version != i+2 {
			t.Errorf("%s at version %d", to, moved.Version)
		}
	}
	there.post(at+"/tasks", `{"title":"x"}`).refused(domain.CodeProjectClosed)
	owner.delete(at).want(204)
	there.patch(at, `{"name":"x"}`).refused(domain.CodeNotFound)

	second := "/v1/projects/" + there.project("Second").ID.String()
	task := "/v1/tasks/" + as[taskBody](there.post(second+"/tasks", `{"title":"x"}`).want(201)).ID.String()
	there.patch(task, `{"title":"y"}`).want(200)
	if got := owner.patch(task, `{"description":"z"}`, "If-Match", `"2"`).want(200); as[taskBody](got).Title != "y" {
		t.Error(got.Body)
	}
	there.patch(task, `{"title":"y"}`, "If-Match", `"2"`).refused(domain.CodeVersionConflict, "current_version", "3")
	there.patch(task, `{"description":"z"}`, "If-Match", `"3"`).want(200) // a change of nothing, on the newest version
	owner.delete(second).want(204)
	there.patch(task, `{"title":"x"}`).refused(domain.CodeNotFound)
	there.delete(task).refused(domain.CodeNotFound)

	joiner := w.user("Joiner").in(c.id)
	owner.patch("/v1/admin/tenant", `{"registration":"open"}`).want(200)
	there.get("/v1/admin/tenant").want(200)
	joiner.at(there.server).post("/v1/tenants/join", "").want(201)
	owner.patch("/v1/admin/tenant", `{"registration":"closed"}`).want(200)
	w.user("Late").in(c.id).at(there.server).post("/v1/tenants/join", "").refused(domain.CodeRegistrationClosed)
	// A slug is known to the other as soon as it is taken.
	there.post("/v1/tenants", `{"name":"x","slug":"new-one"}`).want(201)
	owner.with(tenantIDHeader, "").with(tenantSlugHeader, "new-one").get("/v1/projects").want(200)
	owner.post("/v1/tenants", `{"name":"x","slug":"new-one"}`).refused(domain.CodeSlugTaken)
}
