package httpapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"docket/domain"
)

// roleRow says who may call an operation, as API.md has it, and how.
type roleRow struct {
	op      string
	variant string // where the answer depends on what is acted on
	// may is "anyone", "users", or the roles.
	may string
	// least is the role that a refusal names.
	least domain.Role
	// other is what a role gets that is refused in another way: a code, or the
	// role that is named instead of least.
	other map[domain.Role]string
	// status is what those get who may; 0 is anything below 300.
	status int
	call   func(s *stage, p person) (who person, target, body string)
}

const allRoles = "owner manager member viewer auditor"

func get(target string) func(*stage, person) (person, string, string) {
	return func(_ *stage, p person) (person, string, string) { return p, target, "" }
}

// on is a call on a project in draft that is the caller's own where the caller
// can have one.
func on(suffix, body string) func(*stage, person) (person, string, string) {
	return func(s *stage, p person) (person, string, string) {
		return p, "/v1/projects/" + s.project(s.owning(p)) + suffix, body
	}
}

// onComment is a call on a comment that the caller made where the caller can.
func onComment(body string) func(*stage, person) (person, string, string) {
	return func(s *stage, p person) (person, string, string) {
		return p, "/v1/comments/" + s.comment(s.owning(p)), body
	}
}

// onTask is a call on a task that the caller made where the caller can.
func onTask(suffix, body string) func(*stage, person) (person, string, string) {
	return func(s *stage, p person) (person, string, string) {
		return p, "/v1/tasks/" + s.task(s.owning(p)) + suffix, body
	}
}

var roleRows = []roleRow{
	{op: "get-docs", may: "anyone", call: get("/docs")},
	{op: "get-openapi", may: "anyone", call: get("/openapi.json")},
	{op: "healthz", may: "anyone", call: get("/healthz")},
	{op: "readyz", may: "anyone", call: get("/readyz")},
	{op: "list-problems", may: "anyone", call: get("/problems")},
	{op: "get-problem", may: "anyone", call: get("/problems/not-found")},
	{op: "get-key-set", may: "anyone", call: get("/.well-known/jwks.json")},
	{op: "get-workflow", may: "anyone", call: get("/v1/workflow")},
	{op: "list-catalog", may: "anyone", call: get("/v1/catalog/projects")},

	{op: "register", may: "anyone", call: func(s *stage, p person) (person, string, string) {
		return p.with(tenantIDHeader, ""), "/v1/auth/register",
			fmt.Sprintf(`{"email":"%s@example.org","password":"%s","name":"New"}`, s.fresh(), password)
	}},
	{op: "login", may: "anyone", call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/auth/login", jsonOf(map[string]any{"email": s.root.email, "password": password})
	}},
	{op: "refresh", may: "anyone", call: func(s *stage, p person) (person, string, string) {
		login := s.root.post("/v1/auth/login", jsonOf(map[string]any{"email": s.root.email, "password": password}))
		return p, "/v1/auth/refresh", jsonOf(map[string]any{"refresh_token": as[sessionTokensBody](login).RefreshToken})
	}},
	{op: "verify-email", may: "anyone", call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/auth/verify", jsonOf(map[string]any{"token": s.w.mailedToken(s.w.signUp("Verifies").email)})
	}},
	{op: "forgot-password", may: "anyone", call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/auth/password/forgot", `{"email":"` + s.fresh() + `@example.org"}`
	}},
	{op: "reset-password", may: "anyone", call: func(s *stage, p person) (person, string, string) {
		forgetful := s.w.signUp("Forgets")
		forgetful.post("/v1/auth/password/forgot", jsonOf(map[string]any{"email": forgetful.email})).want(202)
		return p, "/v1/auth/password/reset", jsonOf(map[string]any{"token": s.w.mailedToken(forgetful.email), "password": password})
	}},
	{op: "ask-verification", may: "users", call: func(_ *stage, p person) (person, string, string) { return p, "/v1/me/verification", "" }},
	{op: "logout", may: "users", call: func(_ *stage, p person) (person, string, string) {
		if p.token != "" && !p.isService() {
			p = p.session()
		}
		return p, "/v1/auth/logout", ""
	}},
	{op: "get-me", may: "users", call: get("/v1/me")},
	{op: "edit-me", may: "users", call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/me", `{"name":"` + s.fresh() + `"}`
	}},
	{op: "list-sessions", may: "users", call: get("/v1/me/sessions")},
	{op: "end-session", may: "users", call: func(_ *stage, p person) (person, string, string) {
		id := uuid.Must(uuid.NewV7())
		if p.token != "" {
			p.w.beginSession(id, p.id)
		}
		return p, "/v1/me/sessions/" + id.String(), ""
	}},
	{op: "change-password", may: "users", call: func(s *stage, p person) (person, string, string) {
		if p.token != "" && !p.isService() {
			p = p.w.signUp("Changes") // a person with a password
		}
		return p, "/v1/me/password", jsonOf(map[string]any{"current_password": password, "new_password": password + " 2"})
	}},
	{op: "list-tenants", may: "users", call: get("/v1/tenants")},
	{op: "create-tenant", may: "users", call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/tenants", `{"name":"New","slug":"` + s.fresh() + `"}`
	}},
	{op: "join-tenant", may: "users", call: func(s *stage, p person) (person, string, string) { return p.in(s.open()), "/v1/tenants/join", "" }},

	{op: "get-tenant", may: "owner", least: domain.Owner, call: get("/v1/admin/tenant")},
	{op: "edit-tenant", may: "owner", least: domain.Owner, call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/admin/tenant", `{"name":"` + s.fresh() + `"}`
	}},
	{op: "get-stats", may: "owner auditor", least: domain.Owner, call: get("/v1/admin/stats")},
	{op: "list-activity", may: "owner auditor", least: domain.Owner, call: get("/v1/admin/activity")},
	{op: "list-events", may: "owner auditor", least: domain.Owner, call: get("/v1/admin/events")},

	{op: "list-members", may: allRoles, call: get("/v1/members")},
	{op: "add-member", may: "owner", least: domain.Owner, call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/members", jsonOf(map[string]any{"email": s.spare.email, "role": domain.Viewer})
	}},
	{op: "change-member", may: "owner", least: domain.Owner, call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/members/" + s.member(domain.Member).id.String(), `{"role":"viewer"}`
	}},
	{op: "remove-member", variant: "another", may: "owner", least: domain.Owner, call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/members/" + s.member(domain.Viewer).id.String(), ""
	}},
	{op: "remove-member", variant: "oneself", may: allRoles, call: func(s *stage, p person) (person, string, string) {
		if role, ok := s.roleOf(p); ok && !p.isService() {
			p = s.member(role)
		}
		return p, "/v1/members/" + p.id.String(), ""
	}},

	{op: "list-api-keys", may: "owner", least: domain.Owner, call: get("/v1/api-keys")},
	{op: "create-api-key", may: "owner", least: domain.Owner, call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/api-keys", `{"name":"` + s.fresh() + `","role":"member"}`
	}},
	{op: "rotate-api-key", may: "owner", least: domain.Owner, call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/api-keys/" + s.apiKey() + "/rotate", `{}`
	}},
	{op: "revoke-api-key", may: "owner", least: domain.Owner, call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/api-keys/" + s.apiKey(), ""
	}},

	{op: "list-projects", may: allRoles, call: get("/v1/projects")},
	{op: "create-project", may: "owner manager member", least: domain.Member, call: func(_ *stage, p person) (person, string, string) {
		return p, "/v1/projects", `{"name":"New"}`
	}},
	{op: "get-project", may: allRoles, call: on("", "")},
	{op: "list-transitions", may: allRoles, call: on("/transitions", "")},
	{op: "get-project-summary", may: allRoles, call: on("/summary", "")},
	{op: "get-cycle-time", may: allRoles, call: get("/v1/reports/cycle-time")},
	{op: "list-project-history", may: allRoles, call: on("/history", "")},
	{op: "list-project-tasks", may: allRoles, call: on("/tasks", "")},
	{op: "edit-project", variant: "own draft", may: "owner manager member", least: domain.Member, call: on("", `{"name":"Changed"}`)},
	{op: "edit-project", variant: "own, submitted", may: "owner manager", least: domain.Member, other: map[domain.Role]string{domain.Member: "manager"},
		call: func(s *stage, p person) (person, string, string) {
			return p, "/v1/projects/" + s.project(s.owning(p), domain.Submitted), `{"name":"Changed"}`
		}},
	{op: "edit-project", variant: "another's", may: "owner manager", least: domain.Member, other: map[domain.Role]string{domain.Member: "not-yours"},
		call: func(s *stage, p person) (person, string, string) {
			return p, "/v1/projects/" + s.project(s.anotherThan(p)), `{"name":"Changed"}`
		}},
	{op: "delete-project", variant: "own draft", may: "owner manager", least: domain.Manager, call: on("", "")},
	{op: "delete-project", variant: "active", may: "owner", least: domain.Manager, other: map[domain.Role]string{domain.Manager: "owner"},
		call: func(s *stage, p person) (person, string, string) {
			return p, "/v1/projects/" + s.project(s.owning(p), domain.Submitted, domain.Approved, domain.Active), ""
		}},
	{op: "move-project", variant: "own", may: "owner manager member", least: domain.Member, call: on("/transitions", `{"to":"submitted"}`)},
	{op: "move-project", variant: "own, to cancelled", may: "owner manager", least: domain.Member, other: map[domain.Role]string{domain.Member: "manager"},
		call: on("/transitions", `{"to":"cancelled"}`)},
	{op: "move-project", variant: "another's", may: "owner manager", least: domain.Member, other: map[domain.Role]string{domain.Member: "not-yours"},
		call: func(s *stage, p person) (person, string, string) {
			return p, "/v1/projects/" + s.project(s.anotherThan(p)) + "/transitions", `{"to":"submitted"}`
		}},

	{op: "list-tasks", may: allRoles, call: get("/v1/tasks?assignee_id=me")},
	{op: "create-task", may: "owner manager member", least: domain.Member, call: on("/tasks", `{"title":"New"}`)},
	{op: "get-task", may: allRoles, call: onTask("", "")},
	{op: "list-task-history", may: allRoles, call: onTask("/history", "")},
	{op: "edit-task", may: "owner manager member", least: domain.Member, call: onTask("", `{"title":"Changed"}`)},
	{op: "create-tasks", may: "owner manager member", least: domain.Member, call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/tasks/bulk", `{"items":[{"project_id":"` + s.project(s.owning(p)) + `","title":"New"},{"project_id":"` + random() + `","title":"Lost"}]}`
	}},
	{op: "create-tasks", variant: "atomic", may: "owner manager member", least: domain.Member, call: func(s *stage, p person) (person, string, string) {
		id := s.project(s.owning(p))
		return p, "/v1/tasks/bulk", `{"atomic":true,"items":[{"project_id":"` + id + `","title":"1"},{"project_id":"` + id + `","title":"2"}]}`
	}},
	{op: "edit-tasks", may: "owner manager member", least: domain.Member, call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/tasks/bulk", `{"items":[{"id":"` + s.task(s.owning(p)) + `","title":"Changed"}]}`
	}},
	{op: "edit-tasks", variant: "atomic, refused", may: "owner manager member", least: domain.Member, call: func(s *stage, p person) (person, string, string) {
		return p, "/v1/tasks/bulk", `{"atomic":true,"items":[{"id":"` + s.task(s.owning(p)) + `","title":"Changed"},{"id":"` + random() + `","title":"x"}]}`
	}},
	{op: "delete-task", variant: "own", may: "owner manager member", least: domain.Member, call: onTask("", "")},
	{op: "delete-task", variant: "another's", may: "owner manager", least: domain.Member, other: map[domain.Role]string{domain.Member: "not-yours"},
		call: func(s *stage, p person) (person, string, string) {
			return p, "/v1/tasks/" + s.task(s.anotherThan(p)), ""
		}},

	{op: "list-comments", may: allRoles, call: onTask("/comments", "")},
	{op: "create-comment", may: "owner manager member", least: domain.Member, call: onTask("/comments", `{"body":"New"}`)},
	{op: "get-comment", may: allRoles, call: onComment("")},
	{op: "edit-comment", variant: "own", may: "owner manager member", least: domain.Member, call: onComment(`{"body":"Changed"}`)},
	{op: "edit-comment", variant: "another's", may: "", least: domain.Member,
		other: map[domain.Role]string{domain.Owner: "not-yours", domain.Manager: "not-yours", domain.Member: "not-yours"},
		call: func(s *stage, p person) (person, string, string) {
			return p, "/v1/comments/" + s.comment(s.anotherThan(p)), `{"body":"Changed"}`
		}},
	{op: "delete-comment", variant: "own", may: "owner manager member", least: domain.Member, call: onComment("")},
	{op: "delete-comment", variant: "another's", may: "owner manager", least: domain.Member, other: map[domain.Role]string{domain.Member: "not-yours"},
		call: func(s *stage, p person) (person, string, string) {
			return p, "/v1/comments/" + s.comment(s.anotherThan(p)), ""
		}},

	{op: "list-notifications", may: allRoles, call: get("/v1/notifications")},
	{op: "read-all-notifications", may: allRoles, call: get("/v1/notifications/read-all")},
	{op: "read-notification", variant: "unknown", may: allRoles, status: 404, call: get("/v1/notifications/" + uuid.NewString() + "/read")},
}

// The test calls every operation as every role, as a stranger, as a service account with
// the role member, and without a token. A
// refused call leaves no event.
func TestEveryOperationByEveryRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := newStage(w)
	for _, e := range w.published.endpoints {
		if !slices.ContainsFunc(roleRows, func(r roleRow) bool { return r.op == e.ID }) {
			t.Errorf("%s has no row", e.ID)
		}
	}
	for _, row := range roleRows {
		e := w.published.by(row.op)
		if e == nil {
			t.Errorf("%s isn't published", row.op)
			continue
		}
		callers := map[string]person{"anonymous": w.anonymous().in(s.id), "stranger": s.stranger, "service": s.service}
		for role, p := range s.staff {
			callers[string(role)] = p
		}
		for name, p := range callers {
			who, target, body := row.call(s, p)
			w.renamed() // the events of a new name come later
			before := w.events()
			a := who.send(e.Method, target, body)
			if w.published.find(e.Method, strings.SplitN(target, "?", 2)[0]) != e {
				t.Fatalf("%s: %s isn't it", row.op, a.call)
			}
			if wrong := row.judge(name, a); wrong != "" {
				t.Errorf("%s (%s) by %s: %s: got %d %s", row.op, row.variant, name, wrong, a.Code, a.Body)
			}
			if a.Code >= 400 && w.events() != before {
				t.Errorf("%s (%s) by %s was refused and left an event", row.op, row.variant, name)
			}
		}
	}
}

// judge is what is wrong with the answer to a caller: "anonymous", "stranger", "service", or
// a role.
func (row roleRow) judge(caller string, a *answer) string {
	if caller == "service" {
		if row.may == "users" || row.op == "remove-member" {
			return a.isnt(domain.CodeServiceAccountDenied)
		}
		caller = string(domain.Member)
	}
	may := row.may == "anyone" || row.may == "users" && caller != "anonymous" || slices.Contains(strings.Fields(row.may), caller)
	role := domain.Role(caller)
	other, special := row.other[role]
	switch {
	case may && row.status == 0 && a.Code >= 300, may && row.status != 0 && a.Code != row.status:
		return "may"
	case may:
		return ""
	case caller == "anonymous":
		return a.isnt(domain.CodeUnauthenticated)
	case caller == "stranger":
		return a.isnt(domain.CodeTenantAccessDenied)
	case special && !domain.Role(other).Known():
		return a.isnt(domain.Code(other))
	}
	required := row.least
	if special {
		required = domain.Role(other)
	}
	return a.isnt(domain.CodeInsufficientRole, "required_role", jsonOf(required), "your_role", jsonOf(role))
}
