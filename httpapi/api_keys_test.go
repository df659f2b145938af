package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"docket/domain"
	"docket/internal/tenanttest"

	"github.com/google/uuid"
)

// issued is an answer that has a key.
type issued struct {
	ID         domain.UserID
	Key        string
	Prefix     string
	ExpiresAt  time.Time  `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	Version    int
}

// service is a service account of a company, as a caller that sends its key.
func (c *company) service(body string) (person, issued) {
	c.w.Helper()
	made := as[issued](c.as(domain.Owner).post("/v1/api-keys", body).want(201))
	p := c.w.anonymous()
	p.id, p.token = made.ID, made.Key
	return p, made
}

// isService reports whether the caller sends an API key.
func (p person) isService() bool { return strings.HasPrefix(p.token, "dkt_") }

// A service account does what its role may do, in its tenant alone, under its own name.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, other := w.company("acme", "Acme"), w.company("umbrella", "Umbrella")
	owner := c.as(domain.Owner)
	service, made := c.service(`{"name":"CI","role":"member"}`)
	if !strings.HasPrefix(made.Key, "dkt_"+made.Prefix+"_") || len(made.Key) != 39 || made.Version != 1 {
		t.Errorf("%+v", made)
	}

	// Without a header its tenant is its own.
	project := as[projectBody](service.post("/v1/projects", `{"name":"Site"}`).want(201))
	if project.OwnerID != made.ID || project.CreatedBy != made.ID {
		t.Errorf("%+v", project)
	}
	path := "/v1/projects/" + project.ID.String()
	service.in(c.id).patch(path, `{"name":"Website"}`).want(200)
	service.with(tenantSlugHeader, c.slug).get(path).want(200)
	if got := as[projectBody](service.get(path).want(200)); got.Name != "Website" { // its own write
		t.Errorf("%+v", got)
	}
	task := as[taskBody](service.post(path+"/tasks", `{"title":"Draw"}`).want(201))
	service.post("/v1/tasks/"+task.ID.String()+"/comments", `{"body":"Done"}`).want(201)
	service.post(path+"/transitions", `{"to":"submitted"}`, idempotencyHeader, "once").want(200)
	service.post(path+"/transitions", `{"to":"submitted"}`, idempotencyHeader, "once").want(200)
	service.post(path+"/transitions", `{"to":"approved"}`).refused(domain.CodeInsufficientRole, "required_role", `"manager"`, "your_role", `"member"`)
	service.get("/v1/notifications").want(200)

	// Another tenant is a stranger's, whether there is one or not.
	for _, elsewhere := range []person{service.in(other.id), service.in(domain.TenantID(uuid.New())), service.with(tenantSlugHeader, defaultSlug), service.with(tenantSlugHeader, "nonesuch")} {
		elsewhere.get("/v1/projects").refused(domain.CodeTenantAccessDenied)
		elsewhere.post("/v1/projects", `{"name":"Site"}`).refused(domain.CodeTenantAccessDenied)
	}

	// What is for people it can't do; it is no member.
	for _, call := range [][2]string{
		{"GET", "/v1/me"}, {"PATCH", "/v1/me"}, {"POST", "/v1/me/password"}, {"GET", "/v1/me/sessions"}, {"POST", "/v1/auth/logout"},
		{"GET", "/v1/tenants"}, {"POST", "/v1/tenants"}, {"POST", "/v1/tenants/join"}, {"DELETE", "/v1/members/" + made.ID.String()},
	} {
		service.send(call[0], call[1], "").refused(domain.CodeServiceAccountDenied)
	}
	for _, call := range [][2]string{{"GET", "/v1/api-keys"}, {"POST", "/v1/api-keys"}, {"POST", "/v1/members"}, {"GET", "/v1/admin/tenant"}} {
		service.send(call[0], call[1], "").refused(domain.CodeInsufficientRole)
	}
	owner.post(path+"/tasks", jsonOf(map[string]any{"title": "x", "assignee_id": made.ID})).refused(domain.CodeValidationFailed)

	// Its name is the actor's in the log, which has no secret.
	w.caughtUp(c.id, w.head(c.id))
	for _, item := range items[activityBody](owner.get("/v1/admin/activity?actor_id=" + made.ID.String())) {
		if item.ActorName != "CI" {
			t.Errorf("%+v", item)
		}
	}
	log := owner.get("/v1/admin/events").want(200).Body.String()
	if secret := made.Key[len("dkt_")+9:]; strings.Contains(log, secret) || !strings.Contains(log, "api_key.created") {
		t.Errorf("the log: %s", log)
	}
	if strings.Contains(owner.get("/v1/members").want(200).Body.String(), made.ID.String()) {
		t.Error("it is listed as a member")
	}
}

// A key that isn't valid is 401 on every replica within a second, whatever made it so, and
// all answers are alike.
func TestAPIKeyEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	owner, replica := c.as(domain.Owner), w.replica()
	service, made := c.service(`{"name":"CI","role":"member"}`)
	path := "/v1/api-keys/" + made.ID.String()
	ended := func(p person) {
		t.Helper()
		p.get("/v1/projects").refused(domain.CodeUnauthenticated)
		start := time.Now()
		tenanttest.Eventually(t, "another replica takes the key", func() (bool, any) {
			a := p.at(replica).get("/v1/projects/" + unknownID)
			return a.Code == 401, a.Code
		})
		t.Logf("refused by another replica after %v", time.Since(start))
	}
	used := func(p person) {
		t.Helper()
		p.get("/v1/projects").want(200)
		p.at(replica).get("/v1/projects").want(200)
	}
	used(service)

	rotated := as[issued](owner.post(path+"/rotate", `{"overlap_seconds":3600}`).want(200))
	next := service
	next.token = rotated.Key
	used(next)
	used(service)
	if rotated.ID != made.ID || rotated.Key == made.Key || rotated.Version != 2 || rotated.LastUsedAt == nil {
		t.Errorf("%+v", rotated)
	}
	owner.post(path+"/rotate", `{}`, "If-Match", `"1"`).refused(domain.CodeVersionConflict)
	last := next
	last.token = as[issued](owner.post(path+"/rotate", `{"overlap_seconds":0}`, "If-Match", `"2"`).want(200)).Key
	used(last)
	ended(next)
	ended(service)

	list := items[issued](owner.get("/v1/api-keys"))
	if len(list) != 1 || list[0].ID != made.ID || list[0].Key != "" || list[0].LastUsedAt == nil {
		t.Errorf("%+v", list)
	}
	owner.delete(path, "If-Match", `"1"`).refused(domain.CodeVersionConflict)
	owner.delete(path).want(204)
	ended(last)
	owner.delete(path).refused(domain.CodeNotFound)
	owner.post(path+"/rotate", `{}`).refused(domain.CodeNotFound)
	if left := items[issued](owner.get("/v1/api-keys")); len(left) != 0 {
		t.Errorf("%+v", left)
	}

	short, _ := c.service(jsonOf(map[string]any{"name": "Short", "role": "viewer", "expires_at": time.Now().Add(time.Second)}))
	short.get("/v1/projects")
	tenanttest.Eventually(t, "the key doesn't expire", func() (bool, any) { a := short.get("/v1/projects"); return a.Code == 401, a.Code })

	want := last.get("/v1/projects").problem()
	for _, key := range []string{
		made.Key[:len(made.Key)-1], made.Key + "a", "dkt_", "dkt_" + strings.Repeat("a", 35), "dkt_aaaaaaaa_" + strings.Repeat("a", 26),
		strings.ToUpper(made.Key), short.token, strings.Replace(made.Key, "dkt_", "dkt_ ", 1),
	} {
		p := service
		p.token = key
		got := p.get("/v1/projects").want(401).problem()
		if got.Code != want.Code || strings.HasPrefix(key, "dkt_") && got.Detail != want.Detail {
			t.Errorf("%q: %+v, want %+v", key, got, want)
		}
	}
}

// A member that isn't an owner manages no keys; a key's actions narrow its role; the number
// of keys is bounded; the list has pages.
func TestAPIKeysOfATenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, other := w.company("acme", "Acme"), w.company("umbrella", "Umbrella")
	owner := c.as(domain.Owner)
	reader, first := c.service(`{"name":"Reader","role":"manager","actions":["task.read","project.read"]}`)
	reader.get("/v1/tasks").want(200)
	reader.get("/v1/members").refused(domain.CodeServiceAccountDenied)
	reader.post("/v1/projects", `{"name":"x"}`).refused(domain.CodeServiceAccountDenied)

	for _, body := range []string{
		`{"name":"x","role":"owner"}`, `{"name":"","role":"viewer"}`, `{"name":"x","role":"viewer","actions":["api_key.manage"]}`, `{"role":"viewer"}`,
		`{"name":"x","role":"viewer","expires_at":"2020-01-01T00:00:00Z"}`,
		jsonOf(map[string]any{"name": "x", "role": "viewer", "expires_at": time.Now().AddDate(0, 0, 367)}),
	} {
		owner.post("/v1/api-keys", body).refused(domain.CodeValidationFailed)
	}
	stranger := other.as(domain.Owner)
	for _, p := range []person{stranger} {
		p.delete("/v1/api-keys/" + first.ID.String()).refused(domain.CodeNotFound)
		p.post("/v1/api-keys/"+first.ID.String()+"/rotate", `{}`).refused(domain.CodeNotFound)
	}
	for i := range domain.MaxAPIKeys - 1 {
		owner.post("/v1/api-keys", fmt.Sprintf(`{"name":"%d","role":"viewer"}`, i)).want(201)
	}
	owner.post("/v1/api-keys", `{"name":"One too many","role":"viewer"}`).refused(domain.CodeValidationFailed)
	if all := readAll(owner, "/v1/api-keys", 40, nil); len(all) != domain.MaxAPIKeys {
		t.Errorf("%d keys in pages", len(all))
	}
	owner.delete("/v1/api-keys/" + first.ID.String()).want(204)
	c.service(`{"name":"Another","role":"viewer"}`)
}
