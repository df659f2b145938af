package httpapi

import (
	"strings"
	"testing"

	"docket/domain"
)

// The second part of the tour: a project's life.
func TestProjectsWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	member, manager, owner, viewer := c.as(domain.Member), c.as(domain.Manager), c.as(domain.Owner), c.as(domain.Viewer)

	made := member.post("/v1/projects", `{"name":"Site","description":"New\n\tsite","due_date":"2027-02-28"}`).want(201)
	p := as[projectBody](made)
	at := "/v1/projects/" + p.ID.String()
	if p.Name != "Site" || *p.Description != "New\n\tsite" || *p.DueDate != "2027-02-28" || p.Status != domain.Draft || p.Visibility != domain.Private ||
		p.OwnerID != member.id || p.CreatedBy != member.id || p.Version != 1 || !p.CreatedAt.Equal(p.UpdatedAt) {
		t.Errorf("%+v", p)
	}
	if made.Header().Get("Location") != at || made.Header().Get("ETag") != `"1"` {
		t.Error(made.Header())
	}
	w.caughtUp(c.id, made.seq())
	if got := viewer.get(at).want(200); got.Body.String() != made.Body.String() || got.Header().Get("ETag") != `"1"` {
		t.Errorf("written and read differ:\n%s\n%s", made.Body, got.Body)
	}

	// A merge patch: what is absent stays, null clears.
	edit := func(body, ifMatch string) projectBody {
		t.Helper()
		return as[projectBody](member.patch(at, body, "If-Match", ifMatch, "Content-Type", "application/merge-patch+json").want(200))
	}
	if p := edit(`{"name":"Site 2"}`, `"1"`); p.Name != "Site 2" || *p.Description != "New\n\tsite" || p.Version != 2 {
		t.Errorf("%+v", p)
	}
	if p := edit(`{"description":null,"due_date":null,"visibility":"public"}`, ``); p.Description != nil || p.DueDate != nil || p.Visibility != domain.Public || p.Version != 3 {
		t.Errorf("%+v", p)
	}
	before := w.events()
	for _, nothing := range []string{`{}`, `{"name":"Site 2","due_date":null}`, `{"owner_id":"` + member.id.String() + `"}`} {
		if p := edit(nothing, `"2", "3"`); p.Version != 3 {
			t.Errorf("%s: %+v", nothing, p)
		}
	}
	if p := edit(`{}`, `W/"3"`); p.Version != 3 {
		t.Errorf("with the tag in the weak form: %+v", p)
	}
	if w.events() != before {
		t.Error("a change of nothing is an event")
	}
	member.patch(at, `{"name":"x"}`, "If-Match", `"2"`).refused(domain.CodeVersionConflict, "current_version", "3")
	member.patch(at, `{"name":"x"}`, "If-Match", `W/"2"`).refused(domain.CodeVersionConflict, "current_version", "3")
	member.patch(at, `{"name":"x"}`, "If-Match", `3`).refused(domain.CodeMalformed)
	member.patch(at, `{"name":null}`).invalid("/name type")
	member.patch(at, `{"status":"active"}`).invalid("/status unknown")
	for _, u := range []person{viewer, c.as(domain.Auditor), {id: domain.UserID(p.ID)}} {
		member.patch(at, `{"owner_id":"`+u.id.String()+`"}`).invalid("/owner_id not_a_member")
	}

	// Each wrong move and each wrong role.
	move := func(p person, to string, header ...string) *answer {
		return p.post(at+"/transitions", `{"to":"`+to+`"}`, header...)
	}
	move(member, "active").refused(domain.CodeInvalidTransition, "current_status", `"draft"`, "allowed_transitions", `["submitted","cancelled"]`)
	move(owner, "draft").refused(domain.CodeInvalidTransition)
	move(member, "cancelled").refused(domain.CodeInsufficientRole, "required_role", `"manager"`, "your_role", `"member"`)
	move(viewer, "submitted").refused(domain.CodeInsufficientRole, "required_role", `"member"`, "your_role", `"viewer"`)
	move(c.as(domain.Auditor), "submitted").refused(domain.CodeInsufficientRole, "required_role", `"member"`, "your_role", `"auditor"`)
	move(member, "done").invalid("/to enum")
	move(member, "submitted", "If-Match", `"2"`).refused(domain.CodeVersionConflict, "current_version", "3")
	move(member, "cancelled", "If-Match", `"2"`).refused(domain.CodeInsufficientRole) // before 412
	move(member, "active", "If-Match", `"2"`).refused(domain.CodeVersionConflict)     // before 409
	if moved := as[projectBody](move(member, "submitted", "If-Match", `"3"`).want(200)); moved.Status != domain.Submitted || moved.Version != 4 {
		t.Errorf("%+v", moved)
	}
	member.patch(at, `{"name":"x"}`).refused(domain.CodeInsufficientRole, "required_role", `"manager"`) // no draft any more
	steps := items[availableTransitionBody](member.get(at + "/transitions"))
	if len(steps) != 4 || steps[0].To != domain.Approved || steps[0].Allowed || steps[2] != (availableTransitionBody{domain.Draft, domain.Member, true}) {
		t.Errorf("%+v", steps)
	}
	move(member, "approved").refused(domain.CodeInsufficientRole)
	manager.post(at+"/transitions", `{"to":"approved","comment":"fine"}`).want(200)
	move(manager, "cancelled").refused(domain.CodeInsufficientRole, "required_role", `"owner"`, "your_role", `"manager"`)
	move(manager, "active").want(200)
	manager.patch(at, `{"name":"Site 3"}`).want(200)
	manager.delete(at).refused(domain.CodeInsufficientRole, "required_role", `"owner"`)
	move(manager, "completed").want(200)
	manager.patch(at, `{"name":"x"}`).refused(domain.CodeProjectClosed)
	manager.patch(at, `{"name":"x"}`, "If-Match", `"1"`).refused(domain.CodeVersionConflict) // before 409
	move(manager, "active").refused(domain.CodeInsufficientRole)
	move(owner, "archived").want(200)
	move(owner, "active").refused(domain.CodeInvalidTransition, "current_status", `"archived"`, "allowed_transitions", `[]`)
	if steps := items[availableTransitionBody](owner.get(at + "/transitions")); len(steps) != 0 {
		t.Errorf("%+v", steps)
	}

	// Another's project isn't a member's to touch.
	theirs := "/v1/projects/" + manager.project("Theirs").ID.String()
	member.patch(theirs, `{"name":"x"}`).refused(domain.CodeNotYours)
	member.post(theirs+"/transitions", `{"to":"submitted"}`).refused(domain.CodeNotYours)
	member.delete(theirs).refused(domain.CodeInsufficientRole, "required_role", `"manager"`, "your_role", `"member"`)
	manager.patch(theirs, `{"owner_id":"`+member.id.String()+`"}`).want(200)
	member.patch(theirs, `{"name":"Mine"}`).want(200)
	manager.delete(theirs, "If-Match", `"1"`).refused(domain.CodeVersionConflict, "current_version", "3")
	w.caughtUp(c.id, manager.delete(theirs, "If-Match", `"3"`).want(204).seq())
	for _, gone := range []*answer{
		manager.get(theirs), manager.delete(theirs), manager.patch(theirs, `{}`), manager.post(theirs+"/transitions", `{"to":"submitted"}`),
		manager.get(theirs + "/transitions"), manager.get(theirs + "/tasks"), manager.post(theirs+"/tasks", `{"title":"x"}`),
	} {
		gone.refused(domain.CodeNotFound)
	}
	history := items[historyItemBody](viewer.get(theirs + "/history"))
	if len(history) != 4 || history[3].Type != "project.deleted" || history[0].Version != 1 {
		t.Errorf("%+v", history)
	}
}

func TestWorkflow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	table := as[workflowBody](w.anonymous().get("/v1/workflow").want(200))
	if len(table.Statuses) != 9 || table.Statuses[0] != (workflowStatusBody{domain.Draft, false, false}) || table.Statuses[8] != (workflowStatusBody{domain.Archived, true, true}) {
		t.Errorf("%+v", table.Statuses)
	}
	if len(table.Transitions) != 20 || table.Transitions[0] != (workflowTransitionBody{domain.Draft, domain.Submitted, domain.Member}) {
		t.Errorf("%+v", table.Transitions)
	}
	diagram := w.anonymous().get("/v1/workflow", "Accept", "text/vnd.mermaid").want(200)
	if diagram.Header().Get("Content-Type") != "text/vnd.mermaid; charset=utf-8" {
		t.Error(diagram.Header())
	}
	lines := strings.Split(strings.TrimSpace(diagram.Body.String()), "\n")
	if len(lines) != 1+1+20+1 || lines[0] != "stateDiagram-v2" || strings.TrimSpace(lines[1]) != "[*] --> draft" ||
		strings.TrimSpace(lines[2]) != "draft --> submitted: member" || strings.TrimSpace(lines[22]) != "archived --> [*]" {
		t.Error(diagram.Body)
	}
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("Ann")
	acme := as[tenantBody](ann.post("/v1/tenants", `{"name":"Acme","slug":"acme"}`).want(201)).ID
	ann.project("private")
	ann.post("/v1/projects", `{"name":"public","visibility":"public"}`).want(201)
	there := ann.in(acme).post("/v1/projects", `{"name":"Acme's public","visibility":"public"}`).want(201)
	gone := as[projectBody](ann.post("/v1/projects", `{"name":"gone","visibility":"public"}`).want(201))
	last := ann.delete("/v1/projects/" + gone.ID.String()).want(204).seq()
	w.caughtUp(acme, there.seq())
	w.caughtUp(as[currentUserBody](ann.get("/v1/me").want(200)).Memberships[0].TenantID, last)

	for header, want := range map[[2]string]string{
		{}:                                "public",
		{tenantSlugHeader, "default"}:     "public",
		{tenantSlugHeader, "acme"}:        "Acme's public",
		{tenantIDHeader, acme.String()}:   "Acme's public",
		{"Authorization", "Bearer rusty"}: "public", // not asked for, not looked at
	} {
		got := items[projectBody](w.anonymous().get("/v1/catalog/projects", header[:]...))
		if len(got) != 1 || got[0].Name != want {
			t.Errorf("%v: %+v", header, got)
		}
	}
	w.anonymous().get("/v1/catalog/projects", tenantSlugHeader, "nowhere").refused(domain.CodeNotFound)
	w.anonymous().get("/v1/catalog/projects", tenantIDHeader, ann.id.String()).refused(domain.CodeNotFound)
	w.anonymous().get("/v1/catalog/projects", tenantIDHeader, "00000000-0000-0000-0000-000000000000").refused(domain.CodeTenantInvalid)
}
