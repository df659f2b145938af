package httpapi

import (
	"flag"
	"fmt"
	"slices"
	"testing"

	"docket/domain"
)

var ownWrites = flag.Int("ownwrites.rounds", 5, "how often TestReadYourOwnWrites makes ten kinds of writes")

// A user who writes reads it back at once, by whichever read, while the subscriptions
// run behind: each write is followed by a read of what it wrote.
func TestReadYourOwnWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, member := c.as(domain.Owner), c.as(domain.Member)
	writes := 0
	sees := func(what string, read func() bool) {
		t.Helper()
		if writes++; !read() {
			t.Fatalf("write %d: %s isn't seen", writes, what)
		}
	}
	var project string
	for i := range *ownWrites {
		name := fmt.Sprint("project ", i)
		made := member.post("/v1/projects", jsonOf(map[string]any{"name": name})).want(201)
		id := as[projectBody](made).ID.String()
		at := "/v1/projects/" + id
		project = id
		sees("a new project", func() bool {
			got := member.get(at)
			return got.Code == 200 && got.Body.String() == made.Body.String()
		})

		second := as[projectBody](member.post("/v1/projects", jsonOf(map[string]any{"name": name + " again"})).want(201)).ID
		sees("a new project in a list", func() bool {
			listed := items[projectBody](member.get("/v1/projects?sort=-created_at&limit=2"))
			return len(listed) == 2 && listed[0].ID == second && listed[1].ID.String() == id
		})

		edited := member.patch(at, jsonOf(map[string]any{"name": name + "!"})).want(200)
		sees("an edit", func() bool {
			got := member.get(at)
			return got.Body.String() == edited.Body.String() && got.Header().Get("ETag") == edited.Header().Get("ETag")
		})

		moved := member.post(at+"/transitions", `{"to":"submitted"}`).want(200)
		sees("a move", func() bool { return member.get(at).Body.String() == moved.Body.String() })

		task := as[taskBody](member.post(at+"/tasks", `{"title":"task","labels":["x"]}`).want(201))
		sees("a new task", func() bool {
			listed := items[taskBody](member.get(at + "/tasks?label=x"))
			return len(listed) == 1 && listed[0].ID == task.ID
		})

		done := member.patch("/v1/tasks/"+task.ID.String(), `{"status":"done"}`).want(200)
		sees("a task's edit", func() bool { return member.get("/v1/tasks/"+task.ID.String()).Body.String() == done.Body.String() })

		member.delete("/v1/tasks/" + task.ID.String()).want(204)
		sees("a task's end", func() bool { return member.get("/v1/tasks/"+task.ID.String()).Code == 404 })

		role := []domain.Role{domain.Manager, domain.Viewer}[i%2]
		owner.patch("/v1/members/"+c.as(domain.Auditor).id.String(), jsonOf(map[string]any{"role": role})).want(200)
		sees("a role", func() bool {
			return slices.ContainsFunc(items[memberBody](owner.get("/v1/members")), func(m memberBody) bool {
				return m.UserID == c.as(domain.Auditor).id && m.Role == role
			})
		})

		settings := owner.patch("/v1/admin/tenant", jsonOf(map[string]any{"name": name})).want(200)
		sees("a setting", func() bool { return owner.get("/v1/admin/tenant").Body.String() == settings.Body.String() })

		last := owner.patch("/v1/admin/tenant", jsonOf(map[string]any{"name": name + "!"})).want(200).seq()
		sees("a line of the activity log", func() bool {
			lines := items[activityBody](owner.get(fmt.Sprint("/v1/admin/activity?after_seq=", last-1)))
			return len(lines) == 1 && lines[0].Seq == last
		})
	}
	// What is over all tenants: the own memberships.
	in := func(p person, tenant domain.TenantID, role domain.Role) func() bool {
		return func() bool {
			found := domain.Role("")
			for _, m := range as[currentUserBody](p.get("/v1/me").want(200)).Memberships {
				if m.TenantID == tenant {
					found = m.Role
				}
			}
			return found == role
		}
	}
	for i := range 10 {
		slug := fmt.Sprint("slug-", i)
		made := as[tenantBody](owner.post("/v1/tenants", jsonOf(map[string]any{"name": slug, "slug": slug})).want(201)).ID
		sees("a new tenant", in(owner, made, domain.Owner))
		owner.in(made).patch("/v1/admin/tenant", `{"name":"new name","registration":"open"}`).want(200)
		sees("its new name", func() bool {
			return slices.ContainsFunc(items[tenantBody](owner.get("/v1/tenants")), func(m tenantBody) bool { return m.ID == made && m.Name == "new name" })
		})
		member.in(made).post("/v1/tenants/join", "").want(201)
		sees("a joining", in(member, made, domain.Member))
		member.in(made).delete("/v1/members/" + member.id.String()).want(204)
		sees("a leaving", in(member, made, ""))
	}
	fresh := w.signUp("Fresh")
	sees("a registration", func() bool { return len(as[currentUserBody](fresh.get("/v1/me").want(200)).Memberships) == 1 })
	owner.delete("/v1/projects/" + project).want(204)
	sees("a project's end", func() bool { return owner.get("/v1/projects/"+project).Code == 404 })

	if want := 10 * *ownWrites; writes < want {
		t.Errorf("only %d writes of %d", writes, want)
	}
}
