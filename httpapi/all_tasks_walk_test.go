package httpapi

import (
	"net/url"
	"testing"

	"docket/domain"
)

// The tasks of all projects, and the caller's own among them.
func TestAllTasksWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	member, manager, auditor := c.as(domain.Member), c.as(domain.Manager), c.as(domain.Auditor)
	one, two := manager.project("One"), manager.project("Two")
	add := func(p projectBody, title, more string) taskBody {
		t.Helper()
		return as[taskBody](member.post("/v1/projects/"+p.ID.String()+"/tasks", `{"title":"`+title+`"`+more+`}`).want(201))
	}
	add(one, "1", `,"assignee_id":"`+member.id.String()+`","due_date":"2027-03-01"`)
	add(two, "2", `,"assignee_id":"`+member.id.String()+`","priority":"high","labels":["a"]`)
	add(one, "3", `,"assignee_id":"`+manager.id.String()+`","due_date":"2027-03-02"`)
	add(two, "4", `,"due_date":"2026-12-31","labels":["a","b"]`)
	gone := add(two, "5", "")
	member.delete("/v1/tasks/" + gone.ID.String()).want(204)
	dropped := manager.project("Dropped")
	add(dropped, "6", `,"assignee_id":"`+member.id.String()+`"`)
	manager.delete("/v1/projects/" + dropped.ID.String()).want(204)
	w.caughtUp(c.id, c.as(domain.Owner).patch("/v1/admin/tenant", `{"name":"Acme!"}`).want(200).seq())

	titles := func(p person, target string) (all string) {
		t.Helper()
		for _, task := range items[taskBody](p.get(target)) {
			all += task.Title
		}
		return all
	}
	for query, want := range map[string]string{
		"":                                      "1234",
		"?assignee_id=me":                       "12",
		"?assignee_id=" + member.id.String():    "12",
		"?assignee_id=" + manager.id.String():   "3",
		"?assignee_id=me&priority=high":         "2",
		"?assignee_id=me&due_before=2027-03-02": "1",
		"?due_before=2027-03-02":                "14",
		"?due_before=2027-03-01":                "4",
		"?due_before=2026-12-31":                "",
		"?due_before=9999-12-31":                "134",
		"?label=a":                              "24",
		"?label=a&due_before=2027-01-01":        "4",
		"?status=done":                          "",
		"?assignee_id=00000000-0000-0000-0000-000000000000": "",
	} {
		if got := titles(member, "/v1/tasks"+query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	// "me" is whoever asks, and in a project's list too.
	if got := titles(manager, "/v1/tasks?assignee_id=me"); got != "3" {
		t.Errorf("the manager's: %q", got)
	}
	if got := titles(auditor, "/v1/tasks?assignee_id=me"); got != "" {
		t.Errorf("the auditor's: %q", got)
	}
	if got := titles(member, "/v1/projects/"+two.ID.String()+"/tasks?assignee_id=me"); got != "2" {
		t.Errorf("the member's in one project: %q", got)
	}
	member.get("/v1/projects/" + two.ID.String() + "/tasks?project_id=" + two.ID.String()).refused(domain.CodeUnknownParameter)
	for _, bad := range []string{"Me", "me ", "myself", member.id.String() + "0"} {
		member.get("/v1/tasks?assignee_id=" + url.QueryEscape(bad)).invalid("/assignee_id format")
	}
	for _, bad := range []string{"2027-02-30", "tomorrow", "2027-3-1", "2027-03-01T00:00:00Z"} {
		member.get("/v1/tasks?due_before=" + bad).invalid("/due_before format")
	}

	// A cursor of "me" holds the caller's id. No other caller can use it.
	cursor := *as[page](member.get("/v1/tasks?assignee_id=me&limit=1").want(200)).NextCursor
	if got := titles(member, "/v1/tasks?assignee_id=me&cursor="+cursor); got != "2" {
		t.Errorf("the second page: %q", got)
	}
	member.get("/v1/tasks?assignee_id=" + member.id.String() + "&cursor=" + cursor).want(200)
	manager.get("/v1/tasks?assignee_id=me&cursor=" + cursor).refused(domain.CodeCursorInvalid)
	member.get("/v1/tasks?cursor=" + cursor).refused(domain.CodeCursorInvalid)
	member.get("/v1/tasks?assignee_id=me&due_before=2030-01-01&cursor=" + cursor).refused(domain.CodeCursorInvalid)
}
