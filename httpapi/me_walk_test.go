package httpapi

import (
	"testing"

	"docket/commands"
	"docket/domain"
)

// A new name reaches the members of every tenant that the user is in, and no other.
func TestRenamingReachesEveryTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.user("Root")
	acme, bolt := w.company("acme", "Acme"), w.company("bolt", "Bolt")
	ann := acme.as(domain.Member)
	added := bolt.as(domain.Owner).post("/v1/members", `{"email":"`+ann.email+`","role":"viewer"}`).want(201)
	w.caughtUp(bolt.id, added.seq())
	left := as[tenantBody](root.post("/v1/tenants", `{"name":"Left","slug":"left"}`).want(201)).ID
	root.in(left).post("/v1/members", `{"email":"`+ann.email+`","role":"member"}`).want(201)
	ann.in(left).delete("/v1/members/" + ann.id.String()).want(204)

	renamed := ann.patch("/v1/me", `{"name":"Ann <Ö> Kim"}`).want(200)
	if got := as[currentUserBody](renamed); got.ID != ann.id || got.Name != "Ann <Ö> Kim" || got.Email != ann.email || len(got.Memberships) != 3 {
		t.Errorf("%+v", got)
	}
	if got := ann.get("/v1/me").want(200); got.Body.String() != renamed.Body.String() {
		t.Errorf("written and read differ:\n%s\n%s", renamed.Body, got.Body)
	}
	w.renamed()
	for _, owner := range []person{root.in(as[currentUserBody](root.get("/v1/me").want(200)).Memberships[0].TenantID), acme.as(domain.Owner), bolt.as(domain.Owner)} {
		// Whoever writes after it reads it.
		settings := owner.patch("/v1/admin/tenant", `{"name":"`+random()+`"}`).want(200)
		w.caughtUp(as[tenantSettingsBody](settings).ID, settings.seq())
		var name string
		for _, m := range items[memberBody](owner.get("/v1/members")) {
			if m.UserID == ann.id {
				name = m.Name
			}
		}
		if name != "Ann <Ö> Kim" {
			t.Errorf("%s reads the name %q", owner.name, name)
		}
	}
	for _, e := range items[LogEventBody](root.in(left).get("/v1/admin/events")) {
		if e.Type == "member.renamed" {
			t.Errorf("one who had left was renamed: %+v", e)
		}
	}
	activity := items[activityBody](acme.as(domain.Owner).get("/v1/admin/activity?action=member.renamed"))
	if len(activity) != 1 || activity[0].Summary != `Ann <Ö> Kim changed their name from "Acme member" to "Ann <Ö> Kim"` || *activity[0].ActorID != ann.id ||
		jsonOf(activity[0].Changes) != `[{"field":"name","from":"Acme member","to":"Ann \u003cÖ\u003e Kim"}]` {
		t.Errorf("%+v", activity)
	}
	// From then on the new name stands in what they do.
	project := as[projectBody](ann.post("/v1/projects", `{"name":"Site"}`).want(201))
	if got := items[historyItemBody](ann.get("/v1/projects/" + project.ID.String() + "/history")); got[0].ActorName != "Ann <Ö> Kim" {
		t.Errorf("acts as %q", got[0].ActorName)
	}

	before := w.events()
	for _, nothing := range []string{`{}`, `{"name":"Ann <Ö> Kim"}`} {
		ann.patch("/v1/me", nothing).want(200)
	}
	ann.patch("/v1/me", `{"name":null}`).invalid("/name type")
	ann.patch("/v1/me", `{"name":" "}`).invalid("/name too_short")
	ann.patch("/v1/me", `{"email":"x@example.org"}`).invalid("/email unknown")
	w.anonymous().patch("/v1/me", `{"name":"x"}`).refused(domain.CodeUnauthenticated)
	w.renamed()
	if w.events() != before {
		t.Error("a change of nothing, or a refusal, is an event")
	}
	// One who joins later comes with the new name.
	root.in(left).post("/v1/members", `{"email":"`+ann.email+`","role":"member"}`).want(201)
	if got := as[memberBody](root.in(left).patch("/v1/members/"+ann.id.String(), `{"role":"viewer"}`).want(200)); got.Name != "Ann <Ö> Kim" {
		t.Errorf("came back as %q", got.Name)
	}
}

// Names that follow each other quickly: the last one stands everywhere.
func TestLastNameStands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	ann := c.as(domain.Member)
	for _, name := range []string{"A", "B", "A", "C", "A", "D"} {
		ann.patch("/v1/me", `{"name":"`+name+`"}`).want(200)
	}
	w.renamed()
	w.caughtUp(c.id, c.as(domain.Owner).patch("/v1/admin/tenant", `{"name":"Acme!"}`).want(200).seq())
	for _, m := range items[memberBody](c.as(domain.Owner).get("/v1/members")) {
		if m.UserID == ann.id && m.Name != "D" {
			t.Errorf("%+v", m)
		}
	}
}

// renamed waits until all new names have been carried on.
func (w *world) renamed() {
	w.Helper()
	w.platformCaughtUp(commands.Renames)
}
