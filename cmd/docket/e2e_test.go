package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestTheWholeWay starts the real program on a private Postgres and walks what
// it is for over HTTP, as root and as an ordinary user.
func TestTheWholeWay(t *testing.T) {
	t.Parallel()
	for _, by := range accounts(t) {
		t.Run(by.name, func(t *testing.T) {
			t.Parallel()
			in := newInstall(t, by)
			p := in.serve()
			w := &walk{t: t, in: in, url: p.url}
			w.usersAndTenants()
			w.workflow()
			w.tasks()
			w.notifications()
			w.audit()
			w.rebuild()
			w.replay()
			w.contract()

			// Ctrl-C in a terminal goes to the whole process group.
			p.stopped(p.stop(syscall.SIGINT, true))
			before := w.known
			again := in.serve()
			w.ann, w.bob, w.cem = w.ann.at(again.url), w.bob.at(again.url), w.cem.at(again.url)
			w.compare(before, w.readAll(), "after a restart")
			w.ann.login()
			again.stopped(again.stop(syscall.SIGINT, true))
		})
	}
}

// walk is one way through the API, and who goes it.
type walk struct {
	t   *testing.T
	in  *install
	url string

	ann, bob, cem     caller // owner, member, manager of the tenant default
	project, finished string
	tasked            []string
	// known are the answers that a rebuild and a restart must not change.
	known map[string]string
}

func (w *walk) usersAndTenants() {
	t := w.t
	w.ann, w.bob, w.cem = register(t, w.url, "Ann"), register(t, w.url, "Bob"), register(t, w.url, "Cem")
	ann, bob, cem := w.ann, w.bob, w.cem
	w.in.settle()
	w.roles(ann, "owner")
	w.roles(bob, "member")
	ann.patch("/v1/members/"+cem.id, object("role", "manager")).want(200)
	w.in.settle()
	w.roles(cem, "manager")
	bob.patch("/v1/members/"+bob.id, object("role", "owner")).refused(403, "insufficient-role")
	anyone(t, w.url).get("/v1/me").refused(401, "unauthenticated")

	ann.post("/v1/tenants", object("name", "Acme", "slug", "acme")).want(201)
	bob.post("/v1/tenants", object("name", "Acme", "slug", "acme")).refused(409, "slug-taken")
	acme := ann.in("acme")
	bob.in("acme").post("/v1/tenants/join", "").refused(403, "registration-closed")
	acme.patch("/v1/admin/tenant", object("name", "Acme Ltd", "registration", "open", "default_role", "viewer")).want(200)
	bob.in("acme").post("/v1/tenants/join", "").want(201)
	bob.in("acme").post("/v1/tenants/join", "").refused(409, "already-member")
	bob.in("acme").post("/v1/projects", object("name", "x")).refused(403, "insufficient-role")
	cem.in("acme").get("/v1/members").refused(403, "tenant-access-denied")
	cem.in("nonesuch").get("/v1/members").refused(403, "tenant-access-denied")

	acme.post("/v1/members", object("email", cem.email, "role", "member")).want(201)
	w.in.settle()
	if got := acme.get("/v1/members").column("role"); !slices.Equal(got, []string{"owner", "viewer", "member"}) {
		t.Errorf("members of acme: %v", got)
	}
	acme.delete("/v1/members/" + bob.id).want(204)
	bob.in("acme").get("/v1/members").refused(403, "tenant-access-denied")
	w.lastOwner(acme, cem.in("acme"))
}

func (w *walk) roles(c caller, want string) {
	w.t.Helper()
	memberships := c.get("/v1/me").want(200).decode()["memberships"].([]any)
	if len(memberships) != 1 || memberships[0].(map[string]any)["role"] != want {
		w.t.Errorf("%s has %v, want the role %s", c.email, memberships, want)
	}
}

// lastOwner has a tenant's two owners leave at the same moment: one stays.
func (w *walk) lastOwner(first, second caller) {
	w.t.Helper()
	first.delete("/v1/members/"+first.id).refused(409, "last-owner")
	first.patch("/v1/members/"+second.id, object("role", "owner")).want(200)
	var (
		both     sync.WaitGroup
		statuses [2]int
	)
	for i, c := range []caller{first, second} {
		both.Go(func() { statuses[i] = c.delete("/v1/members/" + c.id).status })
	}
	both.Wait()
	slices.Sort(statuses[:])
	if statuses != [2]int{204, 409} {
		w.t.Errorf("two owners left at once: %v", statuses)
	}
}

func (w *walk) workflow() {
	t, ann, bob, cem := w.t, w.ann, w.bob, w.cem
	created := bob.post("/v1/projects", object("name", "Website", "description", "The new one", "visibility", "public")).want(201)
	w.project = created.text("id")
	path := "/v1/projects/" + w.project
	if created.text("status") != "draft" || created.header.Get("Location") != path || created.header.Get("ETag") != `"1"` {
		t.Errorf("created %s, %v", created.body, created.header)
	}
	bob.patch(path, object("due_date", "2027-01-31")).want(200)
	move := func(c caller, to string) *answer {
		t.Helper()
		return c.post(path+"/transitions", object("to", to))
	}
	move(bob, "active").refused(409, "invalid-transition")
	move(bob, "submitted").want(200)
	move(bob, "approved").refused(403, "insufficient-role")
	move(cem, "approved").want(200)
	bob.patch(path, object("name", "Mine")).refused(403, "insufficient-role")
	move(cem, "active").want(200)

	other := bob.post("/v1/projects", object("name", "Private")).want(201).text("id")
	for _, step := range []struct {
		by caller
		to string
	}{{bob, "submitted"}, {cem, "approved"}, {cem, "active"}, {cem, "completed"}} {
		step.by.post("/v1/projects/"+other+"/transitions", object("to", step.to)).want(200)
	}
	cem.post("/v1/projects/"+other+"/transitions", object("to", "archived")).refused(403, "insufficient-role")
	ann.post("/v1/projects/"+other+"/tasks", object("title", "too late")).refused(409, "project-closed")
	w.finished = other

	visitor := anyone(t, w.url)
	w.in.settle()
	if got := visitor.get("/v1/catalog/projects").column("name"); !slices.Equal(got, []string{"Website"}) {
		t.Errorf("catalog: %v", got)
	}
	if got := visitor.get("/v1/workflow").want(200); len(got.decode()["transitions"].([]any)) < 15 {
		t.Errorf("workflow: %s", got.body)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/v1/workflow", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/vnd.mermaid")
	if got := visitor.do(req).want(200); !strings.HasPrefix(got.body, "stateDiagram-v2") {
		t.Errorf("mermaid: %s", got.body)
	}
}

func (w *walk) tasks() {
	t, bob, cem := w.t, w.bob, w.cem
	path := "/v1/projects/" + w.project + "/tasks"
	for i := range 5 {
		created := cem.post(path, object("title", fmt.Sprintf("Task %d", i), "assignee_id", bob.id, "priority", "high",
			"labels", []string{"web", "front"}, "due_date", "2027-01-15")).want(201)
		w.tasked = append(w.tasked, created.text("id"))
	}
	cem.post(path, object("title", "x", "assignee_id", "01a208ac-415d-779f-9bb8-a68a1dcb19e5")).refused(422, "validation-failed")
	bob.patch("/v1/tasks/"+w.tasked[1], object("status", "in_progress")).want(200)
	cem.delete("/v1/tasks/" + w.tasked[4]).want(204)
	w.in.settle()
	cem.get("/v1/tasks/"+w.tasked[4]).refused(404, "not-found")
	if got := bob.get(path + "?status=in_progress&priority=high&label=web&assignee_id=" + bob.id).column("title"); !slices.Equal(got, []string{"Task 1"}) {
		t.Errorf("filtered: %v", got)
	}
	var paged []string
	for cursor := "first"; cursor != ""; {
		target := path + "?limit=3"
		if cursor != "first" {
			target += "&cursor=" + cursor
		}
		page := bob.get(target)
		paged = append(paged, page.column("id")...)
		cursor = page.text("next_cursor")
	}
	if !slices.Equal(paged, w.tasked[:4]) {
		t.Errorf("paged %v, want %v", paged, w.tasked[:4])
	}
	bob.get(path+"?lable=web").refused(400, "unknown-parameter")
}

func (w *walk) notifications() {
	t, bob, cem := w.t, w.bob, w.cem
	w.in.settle()
	// Cem made five tasks for Bob, and moved his projects twice and three times.
	unread := bob.get("/v1/notifications?unread=true&limit=200")
	kinds := map[string]int{}
	for _, kind := range unread.column("kind") {
		kinds[kind]++
	}
	if len(kinds) != 2 || len(unread.items()) != 5+2+3 {
		t.Errorf("Bob has %v", kinds)
	}
	for _, item := range cem.get("/v1/notifications").items() {
		t.Errorf("Cem was told of what is none of his: %v", item)
	}
	newest := unread.column("id")[0]
	bob.post("/v1/notifications/"+newest+"/read", "").want(204)
	cem.post("/v1/notifications/"+newest+"/read", "").refused(404, "not-found")
	if got := bob.get("/v1/notifications?unread=true").items(); len(got) != 9 {
		t.Errorf("%d are unread, want 9", len(got))
	}
	bob.post("/v1/notifications/read-all", "").want(204)
	if got := bob.get("/v1/notifications?unread=true").items(); len(got) != 0 {
		t.Errorf("%d are unread, want none", len(got))
	}
}

func (w *walk) audit() {
	t, ann, bob := w.t, w.ann, w.bob
	w.in.settle()
	activity := ann.get("/v1/admin/activity?limit=200&entity_type=project")
	var lines []string
	for _, item := range activity.items() {
		if item["entity_id"] == w.project {
			lines = append(lines, text(item["actor_name"])+" "+text(item["action"]))
		}
	}
	want := []string{"Bob project.created", "Bob project.updated", "Bob project.status_changed",
		"Cem project.status_changed", "Cem project.status_changed"}
	if !slices.Equal(lines, want) {
		t.Errorf("activity: %v\nwant %v", lines, want)
	}
	bob.get("/v1/admin/activity").refused(403, "insufficient-role")
	seqs := ann.get("/v1/admin/events?limit=200").column("seq")
	for i, seq := range seqs {
		if seq != fmt.Sprint(i+1) {
			t.Fatalf("event %d has the seq %s", i+1, seq)
		}
	}
	history := bob.get("/v1/projects/" + w.project + "/history")
	if got := history.column("type"); len(got) != 5 || got[0] != "project.created" {
		t.Errorf("history: %v", got)
	}
	if changes := text(history.items()[2]["changes"]); changes != `[{"field":"status","from":"draft","to":"submitted"}]` {
		t.Errorf("changes: %s", changes)
	}
	w.known = w.readAll()
}

// readAll reads everything that read models answer.
func (w *walk) readAll() map[string]string {
	w.t.Helper()
	answers := map[string]string{}
	for _, target := range []string{
		"/v1/me", "/v1/tenants", "/v1/members", "/v1/projects", "/v1/projects?sort=-name", "/v1/projects/" + w.project,
		"/v1/projects/" + w.finished, "/v1/projects/" + w.project + "/tasks?limit=200", "/v1/tasks/" + w.tasked[1],
		"/v1/projects/" + w.project + "/history", "/v1/admin/tenant", "/v1/admin/activity?limit=200",
		"/v1/admin/events?limit=200", "/v1/catalog/projects",
	} {
		answers[target] = w.ann.get(target).want(200).body
	}
	answers["Bob's notifications"] = w.bob.get("/v1/notifications?limit=200").want(200).body
	return answers
}

func (w *walk) compare(before, after map[string]string, when string) {
	w.t.Helper()
	for target := range maps.Keys(before) {
		if before[target] != after[target] {
			w.t.Errorf("%s, %s\nbefore %s\nafter  %s", target, when, before[target], after[target])
		}
	}
}

// rebuild makes all read models anew while the API is read without a pause.
func (w *walk) rebuild() {
	t := w.t
	rebuilt := w.in.begin("projections", "rebuild")
	var o outcome
	for rounds, done := 0, false; !done; rounds++ {
		select {
		case o = <-rebuilt:
			done = true
			if rounds == 0 {
				t.Error("nothing was read during the rebuild")
			}
		default:
			w.compare(w.known, w.readAll(), "during a rebuild")
		}
	}
	for _, model := range []string{"projects", "tasks", "members", "tenants", "activity"} {
		if !regexp.MustCompile(`(?m)^default  ` + model + `  done: \d+ events$`).MatchString(o.stdout) {
			t.Errorf("rebuild said nothing of %s: %s", model, o.stdout)
		}
	}
	if o.status != statusDone {
		t.Errorf("rebuild: status %d: %s", o.status, o.stderr)
	}
	w.compare(w.known, w.readAll(), "after a rebuild")
	// And they are kept up to date from then on.
	w.bob.patch("/v1/tasks/"+w.tasked[1], object("status", "done")).want(200)
	w.in.settle()
	if got := w.bob.get("/v1/tasks/" + w.tasked[1]).text("status"); got != "done" {
		t.Errorf("after the rebuild a task is still %s", got)
	}
	w.known = w.readAll()
}

func (w *walk) replay() {
	t := w.t
	events := w.ann.get("/v1/admin/events?limit=200").items()
	for _, tc := range []struct {
		until string
		want  int
	}{
		{"", len(events)},
		{"7", 7},
		{text(events[6]["at"]), 7},
		{"999999", len(events)},
		{"2001-01-01T00:00:00Z", 0},
	} {
		args := []string{"audit", "replay", "--tenant", "default"}
		if tc.until != "" {
			args = append(args, "--until", tc.until)
		}
		o := w.in.run(args...)
		lines := strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
		if o.stdout == "" {
			lines = nil
		}
		if o.status != statusDone || len(lines) != tc.want {
			t.Errorf("%v: status %d, %d lines, want %d: %s", args, o.status, len(lines), tc.want, o.stderr)
		}
		for i, line := range lines {
			if !strings.Contains(line, text(events[i]["type"])) {
				t.Errorf("line %d is %q, the event %v", i, line, events[i])
			}
		}
	}
	o := w.in.run("audit", "replay", "--tenant", "default", "--json")
	for i, line := range strings.Split(strings.TrimSpace(o.stdout), "\n") {
		var event struct {
			Seq  json.Number
			Data json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Seq.String() != text(events[i]["seq"]) || event.Data == nil {
			t.Errorf("line %d: %v: %s", i, err, line)
		}
	}
}

// contract reads the OpenAPI document and the docs page with all that it loads.
func (w *walk) contract() {
	t, visitor := w.t, anyone(w.t, w.url)
	document := visitor.get("/openapi.json").want(200)
	if document.text("openapi")[:3] != "3.1" {
		t.Errorf("openapi %s", document.text("openapi"))
	}
	paths := document.decode()["paths"].(map[string]any)
	for _, path := range []string{"/v1/auth/register", "/v1/projects/{id}/transitions", "/v1/admin/activity", "/docs"} {
		if paths[path] == nil {
			t.Errorf("%s isn't described", path)
		}
	}
	page := visitor.get("/docs").want(200)
	loaded := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(loaded) < 3 {
		t.Errorf("the docs page loads %v", loaded)
	}
	for _, match := range loaded {
		if strings.Contains(match[1], "//") {
			t.Errorf("the docs page loads %s from elsewhere", match[1])
			continue
		}
		visitor.get("/" + match[1]).want(200)
	}
}
