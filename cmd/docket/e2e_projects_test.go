package main

import (
	"net/http"
	"slices"
	"strings"
)

func (w *walk) projects() {
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

	w.in.awaitCheckpoints()
	steps := cem.get(path + "/transitions")
	if got := steps.column("to"); !slices.Equal(got, []string{"on_hold", "completed", "cancelled"}) || text(steps.items()[2]["allowed"]) != "false" {
		t.Errorf("steps: %s", steps.body)
	}
	w.finish()
	w.in.awaitCheckpoints()
	if got := ann.get("/v1/projects?sort=-name&status=active").column("name"); !slices.Equal(got, []string{"Website"}) {
		t.Errorf("active projects: %v", got)
	}
	if got := ann.get(path).want(200); got.text("due_date") != "2027-01-31" || got.text("status") != "active" {
		t.Errorf("project: %s", got.body)
	}
	w.workflow()
	w.reports()
}

// reports reads sums over projects.
func (w *walk) reports() {
	t, bob := w.t, w.bob
	if got := bob.get("/v1/projects/" + w.project + "/summary").want(200); got.text("status") != "active" ||
		got.text("tasks") != `{"done":0,"in_progress":0,"todo":0}` || got.text("overdue") != "0" {
		t.Errorf("summary: %s", got.body)
	}
	got := bob.get("/v1/reports/cycle-time")
	if names := got.column("project_name"); !slices.Equal(names, []string{"Website", "Private"}) {
		t.Errorf("cycle times of %v: %s", names, got.body)
	}
}

// finish completes a project, which then takes no more writes.
func (w *walk) finish() {
	ann, bob, cem := w.ann, w.bob, w.cem
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
}

// workflow reads what needs no token.
func (w *walk) workflow() {
	t, anonymous := w.t, w.anonymous
	if got := anonymous.get("/v1/catalog/projects").column("name"); !slices.Equal(got, []string{"Website"}) {
		t.Errorf("catalog: %v", got)
	}
	if got := anonymous.get("/v1/workflow").want(200); len(got.decode()["transitions"].([]any)) < 15 {
		t.Errorf("workflow: %s", got.body)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/v1/workflow", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/vnd.mermaid")
	if got := anonymous.do(req).want(200); !strings.HasPrefix(got.body, "stateDiagram-v2") {
		t.Errorf("mermaid: %s", got.body)
	}
}

// deletions deletes a project and a task: only their histories are left.
func (w *walk) deletions() {
	t, bob, cem := w.t, w.bob, w.cem
	project := bob.post("/v1/projects", object("name", "Mistaken")).want(201).text("id")
	bulk := bob.post("/v1/tasks/bulk", object("atomic", true, "items", []any{map[string]any{"project_id": project, "title": "Also"}})).want(200)
	task := bulk.decode()["items"].([]any)[0].(map[string]any)["body"].(map[string]any)["id"].(string)
	bob.patch("/v1/tasks/bulk", object("items", []any{map[string]any{"id": task, "priority": "low"}})).want(200)
	bob.delete("/v1/projects/"+project).refused(403, "insufficient-role")
	cem.delete("/v1/projects/" + project).want(204)
	w.in.awaitCheckpoints()
	for _, gone := range []string{"/v1/projects/" + project, "/v1/tasks/" + task, "/v1/projects/" + project + "/tasks"} {
		bob.get(gone).refused(404, "not-found")
	}
	if got := bob.get("/v1/projects/" + project + "/history").column("type"); !slices.Equal(got, []string{"project.created", "project.deleted"}) {
		t.Errorf("history of the project: %v", got)
	}
	if got := bob.get("/v1/tasks/" + task + "/history").column("type"); !slices.Equal(got, []string{"task.created", "task.updated", "project.deleted"}) {
		t.Errorf("history of the task: %v", got)
	}
}
