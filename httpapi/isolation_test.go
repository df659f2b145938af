package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"docket/domain"
)

// estate is a company in which every text begins with its own word, which no
// stranger may ever see.
type estate struct {
	*company
	word string
	// ids are one of everything that has an id.
	ids map[string]string
	// reads are the targets that show all there is, each with who reads it.
	reads map[string]person
}

func newEstate(w *world, word string) *estate {
	w.Helper()
	c := w.company(word, word)
	owner, manager, member := c.as(domain.Owner), c.as(domain.Manager), c.as(domain.Member)
	text := func(what string) string { return word + " " + what }
	made := as[projectBody](member.post("/v1/projects", jsonOf(map[string]any{"name": text("name"), "description": text("description")}))).ID.String()
	project := "/v1/projects/" + made
	member.patch(project, jsonOf(map[string]any{"name": text("new name"), "due_date": "2027-01-01"})).want(200)
	task := as[taskBody](manager.post(project+"/tasks", jsonOf(map[string]any{
		"title": text("title"), "description": text("description"), "labels": []string{text("label")}, "assignee_id": member.id,
	})).want(201))
	goneProject, goneTask := owner.project(text("gone")), owner.task(domain.ProjectID(uuid.MustParse(made)), text("gone"))
	owner.delete("/v1/projects/" + goneProject.ID.String()).want(204)
	owner.delete("/v1/tasks/" + goneTask.ID.String()).want(204)
	owner.patch("/v1/admin/tenant", jsonOf(map[string]any{"name": text("new name"), "config": map[string]any{
		"email": map[string]any{"from": word + "@example.org"}, "slack": map[string]any{"webhook_url": "https://hooks.example.org/" + word},
	}})).want(200)
	comment, goneComment := manager.comment(task.ID, text("said to @"+member.email)), manager.comment(task.ID, text("taken back"))
	manager.delete("/v1/comments/" + goneComment.ID.String()).want(204)
	member.post(project+"/transitions", jsonOf(map[string]any{"to": "submitted", "comment": text("comment")})).want(200)
	w.caughtUp(c.id, manager.post(project+"/transitions", jsonOf(map[string]any{"to": "rejected", "comment": text("comment")})).want(200).seq())

	approved := member.project(text("approved"))
	owner.move(approved.ID, domain.Submitted, domain.Approved)
	w.caughtUp(c.id, owner.patch("/v1/projects/"+approved.ID.String(), jsonOf(map[string]any{"description": text("approved")})).want(200).seq())

	e := &estate{company: c, word: word, ids: map[string]string{
		"tenant": c.id.String(), "member": member.id.String(), "owner": owner.id.String(), "project": made, "task": task.ID.String(),
		"deleted project": goneProject.ID.String(), "deleted task": goneTask.ID.String(),
		"comment": comment.ID.String(), "deleted comment": goneComment.ID.String(),
		"notification": items[notificationBody](member.get("/v1/notifications"))[0].ID.String(),
		"command":      items[LogEventBody](owner.get("/v1/admin/events"))[0].CommandID.String(),
	}, reads: map[string]person{"/v1/notifications": member}}
	for _, target := range []string{
		"/v1/members", "/v1/projects", project, project + "/tasks", project + "/history", project + "/transitions",
		"/v1/tasks/" + task.ID.String(), "/v1/tasks/" + task.ID.String() + "/history", "/v1/projects/" + goneProject.ID.String() + "/history",
		"/v1/tasks", "/v1/tasks/" + task.ID.String() + "/comments", "/v1/comments/" + comment.ID.String(),
		"/v1/admin/tenant", "/v1/admin/activity", "/v1/admin/events", "/v1/admin/stats", "/v1/reports/cycle-time",
	} {
		e.reads[target] = owner
	}
	return e
}

// everything is all that the estate's own people read of it.
func (e *estate) everything() map[string]string {
	e.w.Helper()
	all := map[string]string{}
	for target, p := range e.reads {
		all[target] = p.get(target).want(200).Body.String()
	}
	return all
}

// unchanged fails the test where the estate's people read something else now.
func (e *estate) unchanged(before map[string]string) {
	e.w.Helper()
	for target, now := range e.everything() {
		if now != before[target] {
			e.w.Errorf("%s of %s has changed:\n%s\n%s", target, e.word, before[target], now)
		}
	}
}

// random is a new id, which no entity has.
func random() string { return uuid.Must(uuid.NewV7()).String() }

// attack is one who tries every published operation against another tenant.
type attack struct {
	w        *world
	by       person
	from, on *estate
}

// alike fails the test unless a foreign id and an unknown one get the same answer.
// With refuse the answer must be a refusal.
func (a attack) alike(e *endpoint, by person, refuse bool, target func(id string) string, body func(id string) string) {
	a.w.Helper()
	nobodys := random()
	want := by.send(e.Method, target(nobodys), body(nobodys))
	for kind, id := range a.on.ids {
		got := by.send(e.Method, target(id), body(id))
		if got.Code != want.Code || got.anonymous() != want.anonymous() {
			a.w.Errorf("%s, with a foreign %s:\n%d %s\nwith an unknown one:\n%d %s", got.call, kind, got.Code, got.Body, want.Code, want.Body)
		}
		refused := func(status int) bool { return slices.Contains([]int{403, 404, 422}, status) }
		if got.Code == 200 && strings.HasSuffix(e.Path, "/bulk") { // each item has its own status
			taken := func(r taskResultBody) bool { return !refused(r.Status) }
			refuse = refuse && slices.ContainsFunc(as[taskResultsBody](got).Items, taken)
		}
		if refuse && !refused(got.Code) {
			a.w.Errorf("%s, with a foreign %s: %d %s", got.call, kind, got.Code, got.Body)
		}
	}
}

// foreignIDs tries foreign ids in the attacker's own tenant: in paths, in bodies
// and in filters.
func (a attack) foreignIDs(e *endpoint) {
	a.w.Helper()
	empty := func(string) string { return "" }
	body := func(id string) string { return a.w.published.exampleBody(e, id) }
	if e.takesID() {
		a.alike(e, a.by, true, e.at, body)
	}
	for _, own := range a.from.ids {
		here := func(string) string { return e.at(own) }
		if a.w.published.hasIDs(e.body()) {
			a.alike(e, a.by, true, here, body)
		}
		for _, p := range e.Parameters {
			if p.In == "query" && strings.HasSuffix(p.Name, "_id") {
				a.alike(e, a.by, false, func(id string) string { return withQuery(e.at(own), p.Name, id) }, empty)
			}
		}
	}
	if !e.takesID() {
		a.by.send(e.Method, e.at("not-found"), body(random())) // for what it may not show
	}
	a.foreignWords(e)
}

// foreignWords searches for the other tenant's words. The result must be the same as
// for words that are in no tenant.
func (a attack) foreignWords(e *endpoint) {
	a.w.Helper()
	for _, p := range e.Parameters {
		if p.In != "query" || p.Name != "q" {
			continue
		}
		at := e.at(a.from.ids["project"])
		want := a.by.send(e.Method, withQuery(at, "q", "nobodys"), "").want(200)
		for _, q := range []string{a.on.word[:5], a.on.word + " or nobodys", "nobodys or " + a.on.word, `"` + a.on.word + ` title"`} {
			if got := a.by.send(e.Method, withQuery(at, "q", q), "").want(200); got.Body.String() != want.Body.String() {
				a.w.Errorf("%s: a search for %q finds %s", got.call, q, got.Body)
			}
		}
		if own := a.by.send(e.Method, withQuery(at, "q", a.from.word), "").want(200); own.Body.String() == want.Body.String() {
			a.w.Errorf("%s: a search for the own words finds nothing", own.call)
		}
	}
}

// foreignTenant tries the other tenant itself, by id and by slug, with its own
// ids; the answer must be that for a tenant that there isn't.
func (a attack) foreignTenant(e *endpoint) {
	a.w.Helper()
	for _, own := range a.on.ids {
		send := func(header, tenant string) *answer {
			return a.by.with(tenantIDHeader, "").with(header, tenant).send(e.Method, e.at(own), a.w.published.exampleBody(e, own))
		}
		want := send(tenantIDHeader, random())
		for _, got := range []*answer{send(tenantIDHeader, a.on.id.String()), send(tenantSlugHeader, a.on.slug), send(tenantSlugHeader, "there-is-none")} {
			if e.Access == "tenant" {
				got.refused(domain.CodeTenantAccessDenied)
			}
			// The catalog is for everyone: there the tenant is no secret.
			if e.ID != "list-catalog" && e.Access != "public" && got.anonymous() != want.anonymous() && want.Code >= 400 {
				a.w.Errorf("%s in a foreign tenant:\n%d %s\nin none:\n%d %s", got.call, got.Code, got.Body, want.Code, want.Body)
			}
		}
		if !e.takesID() {
			break
		}
	}
}

// No operation of the document, whatever it may be, shows or changes anything of
// another tenant, or tells that it is there.
func TestTenantsAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme, bolt := newEstate(w, "acmeword"), newEstate(w, "boltword")
	for _, a := range []attack{
		{w, acme.as(domain.Owner), acme, bolt}, {w, acme.as(domain.Member), acme, bolt}, {w, bolt.as(domain.Owner), bolt, acme},
	} {
		a.by.mustNotSee = a.on.word
		w.checkpointed() // statistics show how far the checkpoints are behind
		before := a.on.everything()
		for _, e := range w.published.endpoints {
			if e.ID == "logout" {
				continue // it would end the attack
			}
			a.foreignIDs(e)
			a.foreignTenant(e)
		}
		a.on.unchanged(before)
	}
	// The words are there for those who may see them.
	wordless := []string{"/v1/projects/" + acme.ids["project"] + "/transitions", "/v1/admin/stats"}
	for target, text := range acme.everything() {
		if p := acme.reads[target]; !slices.Contains(wordless, target) && !strings.Contains(text, acme.word) {
			t.Errorf("%s, as %s reads it, has no word in it", target, p.name)
		}
	}
}

// What names a tenant can't be bent.
func TestTenantHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user("Root") // owns the default tenant
	acme, bolt := w.company("acme", "Acme"), w.company("bolt", "Bolt")
	owner := acme.as(domain.Owner).with(tenantIDHeader, "")
	me := as[currentUserBody](owner.get("/v1/me").want(200))
	fallback := me.Memberships[0].TenantID.String() // the default tenant
	for _, c := range []struct {
		id, slug string
		code     domain.Code // none: answered
		in       string      // the name of the tenant that answers
	}{
		{acme.id.String(), "", "", "Acme company"},
		{"", "acme", "", "Acme company"},
		{acme.id.String(), "acme", "", "Acme company"},
		{"", "", domain.CodeInsufficientRole, ""}, // the default tenant, where the owner is a member
		{fallback, "default", domain.CodeInsufficientRole, ""},
		{bolt.id.String(), "", domain.CodeTenantAccessDenied, ""},
		{"", "bolt", domain.CodeTenantAccessDenied, ""},
		{bolt.id.String(), "bolt", domain.CodeTenantAccessDenied, ""},
		{acme.id.String(), "bolt", domain.CodeTenantMismatch, ""},
		{bolt.id.String(), "acme", domain.CodeTenantMismatch, ""},
		{acme.id.String(), "default", domain.CodeTenantMismatch, ""},
		{acme.id.String(), "there-is-none", domain.CodeTenantMismatch, ""},
		{random(), "acme", domain.CodeTenantMismatch, ""},
		{random(), "there-is-none", domain.CodeTenantMismatch, ""},
		{random(), "", domain.CodeTenantAccessDenied, ""},
		{"", "there-is-none", domain.CodeTenantAccessDenied, ""},
		{"00000000-0000-0000-0000-000000000000", "", domain.CodeTenantInvalid, ""},
		{"00000000-0000-0000-0000-000000000000", "acme", domain.CodeTenantInvalid, ""},
		{"ffffffff-ffff-ffff-ffff-ffffffffffff", "", domain.CodeTenantAccessDenied, ""},
		{"acme", "", domain.CodeTenantInvalid, ""},
		{" " + acme.id.String(), "", domain.CodeTenantInvalid, ""},
		{"{" + acme.id.String() + "}", "", domain.CodeTenantInvalid, ""},
		{"urn:uuid:" + acme.id.String(), "", domain.CodeTenantInvalid, ""},
		{acme.id.String() + "," + acme.id.String(), "", domain.CodeTenantInvalid, ""},
		{acme.id.String() + "\x00", "", domain.CodeTenantInvalid, ""},
		{"", "ACME", domain.CodeTenantInvalid, ""},
		{"", "acme ", domain.CodeTenantInvalid, ""},
		{"", "acme,bolt", domain.CodeTenantInvalid, ""},
		{"", "a", domain.CodeTenantInvalid, ""},
		{"", "acme' or '1'='1", domain.CodeTenantInvalid, ""},
		{acme.id.String(), "ACME", domain.CodeTenantInvalid, ""},
	} {
		a := owner.get("/v1/admin/tenant", tenantIDHeader, c.id, tenantSlugHeader, c.slug)
		switch {
		case c.code != "":
			a.refused(c.code)
		case as[tenantSettingsBody](a.want(200)).Name != c.in:
			t.Errorf("%+v: %s", c, a.Body)
		}
	}
	// Each header once, though it says the same.
	for _, name := range []string{tenantIDHeader, tenantSlugHeader} {
		value := map[string]string{tenantIDHeader: acme.id.String(), tenantSlugHeader: "acme"}[name]
		for _, values := range [][]string{{value, value}, {value, ""}, {"", value}, {value, "bolt"}, {""}} {
			req := owner.request("GET", "/v1/admin/tenant", "")
			req.Header[http.CanonicalHeaderKey(name)] = values
			owner.do(req).refused(domain.CodeTenantInvalid)
		}
	}
	// The name of a header has no case, and its place in the query is none.
	owner.get("/v1/admin/tenant", "x-tenant-slug", "acme").want(200)
	owner.get("/v1/admin/tenant?X-Tenant-ID="+acme.id.String(), tenantSlugHeader, "acme").refused(domain.CodeUnknownParameter)
}
