package httpapi

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"docket/accounts"
	"docket/domain"
)

// unknownID is the id of nothing.
const unknownID = "019ad922-5000-7000-8000-0000000000ff"

// tellExamples is the story that the document's examples are taken from: Ann founds Acme,
// Bob works in it. Of each operation the first call that succeeds counts, of each code the
// first refusal.
func tellExamples(w *world, r *recorder) *fixed {
	w.Helper()
	f := newFixed()
	anonymous := w.anonymous().at(r)
	register := func(name, email string) person {
		p := anonymous
		p.email = email
		body := jsonOf(map[string]any{"email": email, "password": password, "name": name})
		if name == "Ann" {
			req := p.request(http.MethodPost, "/v1/auth/register", body)
			req.RemoteAddr = "192.0.2.1:4000"
			p.do(req).refused(domain.CodeSetupCodeRequired)
		}
		p.id = as[UserBody](p.post("/v1/auth/register", body).want(201)).ID
		tokens := as[sessionTokensBody](p.post("/v1/auth/login", jsonOf(map[string]any{"email": email, "password": password})).want(200))
		tokens = as[sessionTokensBody](p.post("/v1/auth/refresh", jsonOf(map[string]any{"refresh_token": tokens.RefreshToken})).want(200))
		p.token = tokens.AccessToken
		return p
	}
	ann, bob := register("Ann", "ann@example.org"), register("Bob", "bob@example.org")
	f.is(ann.id, "owner_id")
	f.is(bob.id, "user_id")
	anonymous.post("/v1/auth/register", jsonOf(map[string]any{"email": ann.email, "password": password, "name": "Ann"})).refused(domain.CodeEmailTaken)
	ann.patch("/v1/me", `{"name":"Ann Lee"}`).want(200)
	ann.get("/v1/me/sessions?limit=1").want(200)
	ann.post("/v1/me/verification", "").want(202)
	toVerify := w.mailedToken(ann.email)
	anonymous.post("/v1/auth/password/forgot", jsonOf(map[string]any{"email": bob.email})).want(202)
	anonymous.post("/v1/auth/password/reset", jsonOf(map[string]any{"token": w.mailedToken(bob.email), "password": password})).want(204)
	bob = bob.session()
	ann.post("/v1/me/password", jsonOf(map[string]any{"current_password": password, "new_password": password})).want(204)
	anonymous.post("/v1/auth/login", jsonOf(map[string]any{"email": ann.email, "password": password})).want(200)
	for _, of := range items[sessionBody](ann.get("/v1/me/sessions")) {
		if !of.Current {
			ann.delete("/v1/me/sessions/" + of.ID.String()).want(204)
		}
	}

	acme := as[tenantBody](ann.post("/v1/tenants", `{"name":"Acme","slug":"acme"}`).want(201))
	f.is(acme.ID, "X-Tenant-ID")
	ann.post("/v1/tenants", `{"name":"Acme","slug":"acme"}`).refused(domain.CodeSlugTaken)
	ann, bob = ann.with(tenantSlugHeader, "acme"), bob.with(tenantSlugHeader, "acme")
	bob.get("/v1/projects").refused(domain.CodeTenantAccessDenied)
	bob.post("/v1/tenants/join", "").refused(domain.CodeRegistrationClosed)
	ann.patch("/v1/admin/tenant", `{"registration":"open","config":{"email":{"from":"office@example.org"}}}`).want(200)
	ann.patch("/v1/admin/tenant", `{"config":{"require_verified_email":true}}`).refused(domain.CodeEmailUnverified)
	anonymous.post("/v1/auth/verify", jsonOf(map[string]any{"token": toVerify})).want(204)
	bob.post("/v1/tenants/join", "").want(201)
	ann.delete("/v1/members/" + bob.id.String()).want(204)
	ann.post("/v1/members", `{"email":"bob@example.org","role":"viewer"}`).want(201)
	ann.post("/v1/members", `{"email":"bob@example.org","role":"member"}`).refused(domain.CodeAlreadyMember)
	ann.patch("/v1/members/"+bob.id.String(), `{"role":"member"}`).want(200)
	ann.patch("/v1/members/"+ann.id.String(), `{"role":"member"}`).refused(domain.CodeLastOwner)
	bob.get("/v1/admin/stats").refused(domain.CodeInsufficientRole)

	key := as[issued](ann.post("/v1/api-keys", `{"name":"Build server","role":"member","actions":["task.read","task.edit"]}`).want(201))
	f.is(key.ID, "ApiKeyIDParam")
	ci := anonymous.with("Authorization", "Bearer "+key.Key)
	ci.get("/v1/tasks").want(200)
	ci.get("/v1/me").refused(domain.CodeServiceAccountDenied)
	ann.post("/v1/api-keys/"+key.ID.String()+"/rotate", `{"overlap_seconds":3600}`).want(200)
	ann.get("/v1/api-keys?limit=1").want(200)
	ann.delete("/v1/api-keys/" + key.ID.String()).want(204)

	website := as[projectBody](ann.post("/v1/projects", `{"name":"Website","description":"The new one.","visibility":"public","due_date":"2027-03-31"}`).want(201))
	project := "/v1/projects/" + website.ID.String()
	f.is(website.ID, "ProjectIDParam")
	ann.patch(project, `{"name":"Website 2027"}`).want(200)
	ann.patch(project, `{"name":"Website"}`, "If-Match", `"1"`).refused(domain.CodeVersionConflict)
	bob.patch(project, `{"name":"Mine"}`).refused(domain.CodeNotYours)
	task := as[taskBody](ann.post(project+"/tasks", jsonOf(map[string]any{
		"title": "Choose the colours", "priority": "high", "assignee_id": bob.id, "labels": []string{"design"}, "due_date": "2027-01-15",
	})).want(201))
	f.is(task.ID, "TaskIDParam")
	bob.patch("/v1/tasks/"+task.ID.String(), `{"status":"in_progress"}`).want(200)
	bulk := func(items string) string { return `{"items":[` + items + `]}` }
	texts := as[taskResultsBody](ann.post("/v1/tasks/bulk", bulk(`{"project_id":"`+website.ID.String()+`","title":"Write the texts","labels":["texts"]},`+
		`{"project_id":"`+unknownID+`","title":"Write the texts"}`)).want(200)).Items[0].Body.Value
	ann.patch("/v1/tasks/bulk", bulk(`{"id":"`+texts.ID.String()+`","version":1,"status":"in_progress"},{"id":"`+unknownID+`","status":"done"}`)).want(200)
	comment := as[commentBody](ann.post("/v1/tasks/"+task.ID.String()+"/comments", `{"body":"@bob@example.org Blue, please."}`).want(201))
	f.is(comment.ID, "CommentIDParam")
	ann.patch("/v1/comments/"+comment.ID.String(), `{"body":"@bob@example.org Blue or green, please."}`).want(200)

	move := func(to domain.Status) *answer {
		return ann.post(project+"/transitions", jsonOf(map[string]any{"to": to, "comment": "Ready."}))
	}
	move(domain.Active).refused(domain.CodeInvalidTransition)
	for _, to := range []domain.Status{domain.Submitted, domain.Approved, domain.Active, domain.Completed} {
		move(to).want(200)
	}
	ann.patch(project, `{"name":"Website"}`).refused(domain.CodeProjectClosed)
	w.caughtUp(acme.ID, w.head(acme.ID))
	tellReads(ann, bob, f, project, task.ID, comment.ID)
	tellRefusals(w, ann)
	tellKeys(w, anonymous)

	for _, path := range []string{"/v1/comments/", "/v1/tasks/"} { // in a project that is open
		open := ann.project("Newsletter")
		made := ann.task(open.ID, "Collect addresses")
		id := made.ID.String()
		if path == "/v1/comments/" {
			id = ann.comment(made.ID, "Where from?").ID.String()
		}
		ann.delete(path + id).want(204)
		ann.delete("/v1/projects/" + open.ID.String()).want(204)
	}
	bob.post("/v1/auth/logout", "").want(204)
	return f
}

// tellReads reads everything.
func tellReads(ann, bob person, f *fixed, project string, task domain.TaskID, comment domain.CommentID) {
	notifications := items[notificationBody](bob.get("/v1/notifications?limit=1"))
	f.is(notifications[0].ID, "NotificationIDParam")
	bob.post("/v1/notifications/"+notifications[0].ID.String()+"/read", "").want(204)
	bob.post("/v1/notifications/read-all", "").want(204)
	today := time.Now().UTC().Format(time.DateOnly)
	for _, target := range []string{
		"/v1/me", "/v1/tenants", "/v1/members?limit=1", "/v1/admin/tenant", "/v1/admin/stats", "/v1/admin/activity?limit=1&entity_type=task",
		"/v1/admin/events?limit=1", "/v1/projects?limit=1", project, project + "/transitions", project + "/summary", project + "/history?limit=1",
		project + "/tasks?limit=1", "/v1/tasks?limit=1", "/v1/tasks/" + task.String(), "/v1/tasks/" + task.String() + "/history?limit=1",
		"/v1/tasks/" + task.String() + "/comments?limit=1", "/v1/comments/" + comment.String(),
		"/v1/reports/cycle-time?from=" + today + "&to=" + today, "/v1/catalog/projects?limit=1", "/v1/workflow", "/problems", "/problems/not-found",
		"/healthz", "/readyz", "/docs",
	} {
		ann.get(target).want(200)
	}
}

// tellRefusals provokes the refusals that have nothing to do with the story.
func tellRefusals(w *world, ann person) {
	ann.post("/v1/projects", `{"name":`).refused(domain.CodeMalformed)
	ann.post("/v1/projects", `{"name":""}`).refused(domain.CodeValidationFailed)
	ann.post("/v1/projects", "name=Website", "Content-Type", "application/x-www-form-urlencoded").refused(domain.CodeUnsupportedMediaType)
	ann.post("/v1/projects", `{"name":"`+strings.Repeat("x", maxBody)+`"}`).refused(domain.CodePayloadTooLarge)
	ann.post("/v1/projects", `{"name":"Newsletter"}`, idempotencyHeader, "key-1").want(201)
	ann.post("/v1/projects", `{"name":"Brochure"}`, idempotencyHeader, "key-1").refused(domain.CodeIdempotencyKeyReused)
	ann.get("/v1/tasks?state=done").refused(domain.CodeUnknownParameter)
	ann.get("/v1/tasks?cursor=x").refused(domain.CodeCursorInvalid)
	ann.get("/v1/tasks?q=website&as_of=5").refused(domain.CodeUnsupportedCombination)
	ann.get("/v1/tasks/" + unknownID).refused(domain.CodeNotFound)
	ann.get("/v1/tasks", "Docket-Epoch", parameterExamples["Docket-Epoch"].(string)).refused(domain.CodeEpochChanged)
	ann.get("/v1/tasks", tenantIDHeader, uuid.NewString()).refused(domain.CodeTenantMismatch)
	ann.get("/v1/tasks", tenantSlugHeader, "Acme Inc").refused(domain.CodeTenantInvalid)
	ann.get("/v1/tasks", "Authorization", "").refused(domain.CodeUnauthenticated)
	hourAgo := func() time.Time { return time.Now().Add(-time.Hour) }
	tokens, err := accounts.NewTokens(accounts.TokenConfig{Configured: []accounts.SigningKey{testKey}, ConfiguredSigns: true, Issuer: "docket", Now: hourAgo})
	if err != nil {
		w.Fatal(err)
	}
	token, _, err := tokens.Issue(ann.id, uuid.New())
	if err != nil {
		w.Fatal(err)
	}
	ann.get("/v1/tasks", "Authorization", "Bearer "+token).refused(domain.CodeTokenExpired)
}

// tellKeys reads the public keys of a server that signs with managed ones.
func tellKeys(w *world, p person) {
	w.Helper()
	managed, err := accounts.NewTokens(accounts.TokenConfig{Managed: w.keys, Issuer: "docket"})
	if err != nil {
		w.Fatal(err)
	}
	if err := managed.Start(w.Context()); err != nil {
		w.Fatal(err)
	}
	defer managed.Stop()
	configured := w.server.tokens
	w.server.tokens = managed
	p.get("/.well-known/jwks.json").want(200)
	w.server.tokens = configured
}
