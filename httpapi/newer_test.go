package httpapi

import (
	"strings"
	"testing"

	"docket/domain"
)

// What a newer version wrote to one project: commands that would have to read it
// are answered 503, on every replica, and nothing is decided; all else goes on.
func TestWhatANewerVersionWrote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, member, viewer := c.as(domain.Owner), c.as(domain.Member), c.as(domain.Viewer)
	project := owner.project("Quay")
	task := owner.task(project.ID, "Survey")
	path := "/v1/projects/" + project.ID.String()
	w.caughtUp(c.id, owner.post(path+"/transitions", `{"to":"submitted"}`).want(200).seq())

	// It is in the memory of the first replica, and not in the other's.
	w.insert(c.id, domain.Stream(domain.ProjectStream, project.ID), "project.frobbed", 1, `{"x": 1}`)
	before := w.events()
	for name, by := range map[string]person{"a cached": owner, "an empty": owner.at(w.replica())} {
		for call, a := range map[string]*answer{
			"edit":    by.patch(path, `{"name":"Mole"}`),
			"same":    by.patch(path, `{"name":"Quay"}`),
			"stale":   by.patch(path, `{"name":"Mole"}`, "If-Match", `"1"`),
			"move":    by.post(path+"/transitions", `{"to":"approved"}`),
			"no such": by.post(path+"/transitions", `{"to":"completed"}`),
			"task":    by.post(path+"/tasks", `{"title":"Dredge"}`),
			"retask":  by.patch("/v1/tasks/"+task.ID.String(), `{"title":"Dredge"}`),
			"comment": by.post("/v1/tasks/"+task.ID.String()+"/comments", `{"body":"x"}`),
			"delete":  by.delete(path),
		} {
			if wrong := a.isnt(domain.CodeOverloaded); wrong != "" || a.Header().Get("Retry-After") == "" ||
				!strings.Contains(a.Body.String(), "newer version") || strings.Contains(a.Body.String(), "frobbed") {
				t.Errorf("%s replica, %s: %s: got %d %s", name, call, wrong, a.Code, a.Body)
			}
		}
	}
	if n := w.events() - before; n != 0 {
		t.Errorf("%d events were written", n)
	}
	for _, target := range []string{path, path + "/tasks", "/v1/projects", "/v1/members"} {
		viewer.get(target).want(200)
	}
	member.post("/v1/projects", `{"name":"Another"}`).want(201)

	history := items[historyItemBody](viewer.get(path + "/history"))
	if last := history[len(history)-1]; last.Type != "project.frobbed" || last.Summary != "project.frobbed" || string(last.Data) != `{"x":1}` {
		t.Errorf("the history ends with %+v", last)
	}
}

// A member whose membership this version can't read is refused, but not as a stranger.
// Other members notice nothing.
func TestMemberOfANewerVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	member := c.as(domain.Member)
	member.project("Quay")
	w.insert(c.id, domain.Stream(domain.MemberStream, member.id), "member.joined", 99, `{}`)
	for _, by := range []person{member, member.at(w.replica())} {
		for _, a := range []*answer{by.get("/v1/projects"), by.post("/v1/projects", `{"name":"x"}`), by.get("/v1/notifications")} {
			a.refused(domain.CodeOverloaded)
		}
		by.get("/v1/me").want(200)
	}
	c.as(domain.Auditor).get("/v1/projects").want(200)
	c.as(domain.Owner).patch("/v1/members/"+member.id.String(), `{"role":"viewer"}`).refused(domain.CodeOverloaded)
}

// The raw log shows each event as it was stored, whatever its schema version.
func TestRawLogOfTwoSchemaVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	late := w.user("Late")
	data := `{"user_id":"` + late.id.String() + `","email":{"$p":{"subject":"` + late.id.String() + `","key":"none","value":"late@example.org"}},` +
		`"name":{"$p":{"subject":"` + late.id.String() + `","key":"none","value":"Late"}},"role":"viewer"}`
	w.insert(c.id, domain.Stream(domain.MemberStream, late.id), "member.joined", 1, data)
	written := map[int]int{}
	for _, e := range items[LogEventBody](c.as(domain.Owner).get("/v1/admin/events?limit=200")) {
		if e.Type != "member.joined" {
			continue
		}
		written[e.SchemaVersion]++
		if is := e.SchemaVersion == 1; is != (string(e.Data) == data) || is == strings.Contains(string(e.Data), `"user_version":1`) {
			t.Errorf("schema version %d: %s", e.SchemaVersion, e.Data)
		}
	}
	if written[1] != 1 || written[2] != len(domain.Roles()) {
		t.Errorf("member.joined by schema version: %v", written)
	}
	// Both are members alike.
	late.in(c.id).get("/v1/projects").want(200)
	late.in(c.id).post("/v1/projects", `{"name":"x"}`).refused(domain.CodeInsufficientRole)
}
