package httpapi

import (
	"slices"
	"strings"
	"testing"

	"docket/domain"
)

// The third part of the tour: tasks.
func TestTasksWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.company("acme", "Acme")
	member, manager, owner, viewer := c.as(domain.Member), c.as(domain.Manager), c.as(domain.Owner), c.as(domain.Viewer)
	project := manager.project("Site")
	tasks := "/v1/projects/" + project.ID.String() + "/tasks"

	made := member.post(tasks, `{"title":"Copy","description":"Write","priority":"high","assignee_id":"`+manager.id.String()+
		`","due_date":"2027-03-01","labels":["web","text"]}`).want(201)
	task := as[taskBody](made)
	at := "/v1/tasks/" + task.ID.String()
	if task.ProjectID != project.ID || task.Title != "Copy" || *task.Description != "Write" || task.Status != domain.Todo || task.Priority != domain.High ||
		*task.AssigneeID != manager.id || *task.DueDate != "2027-03-01" || !slices.Equal(task.Labels, []string{"web", "text"}) ||
		task.CreatedBy != member.id || task.Version != 1 {
		t.Errorf("%+v", task)
	}
	if made.Header().Get("Location") != at || made.Header().Get("ETag") != `"1"` {
		t.Error(made.Header())
	}
	if got := member.get(at).want(200); got.Body.String() != made.Body.String() {
		t.Errorf("written and read differ:\n%s\n%s", made.Body, got.Body)
	}
	plain := as[taskBody](member.post(tasks, `{"title":"Plain"}`).want(201))
	if plain.Priority != domain.Normal || plain.AssigneeID != nil || plain.Labels == nil || len(plain.Labels) > 0 || plain.Description != nil || plain.DueDate != nil {
		t.Errorf("%+v", plain)
	}
	for _, id := range []string{viewer.id.String(), c.as(domain.Auditor).id.String(), project.ID.String(), "00000000-0000-0000-0000-000000000000"} {
		member.post(tasks, `{"title":"x","assignee_id":"`+id+`"}`).invalid("/assignee_id not_a_member")
		member.patch(at, `{"assignee_id":"`+id+`"}`).invalid("/assignee_id not_a_member")
	}
	viewer.post(tasks, `{"title":"x"}`).refused(domain.CodeInsufficientRole, "required_role", `"member"`, "your_role", `"viewer"`)
	viewer.patch(at, `{"title":"x"}`).refused(domain.CodeInsufficientRole)

	edit := func(body string, header ...string) taskBody {
		t.Helper()
		return as[taskBody](member.patch(at, body, header...).want(200))
	}
	if got := edit(`{"status":"in_progress","title":"Copy!"}`, "If-Match", `"1"`); got.Status != domain.InProgress || got.Title != "Copy!" || got.Priority != domain.High || got.Version != 2 {
		t.Errorf("%+v", got)
	}
	if got := edit(`{"assignee_id":null,"due_date":null,"description":null,"labels":null}`); got.AssigneeID != nil || got.DueDate != nil || got.Description != nil ||
		got.Labels == nil || len(got.Labels) > 0 || got.Version != 3 {
		t.Errorf("%+v", got)
	}
	before := w.events()
	if got := edit(`{"assignee_id":null,"labels":[],"status":"in_progress"}`); got.Version != 3 || w.events() != before {
		t.Error("a change of nothing is an event")
	}
	member.patch(at, `{"title":"x"}`, "If-Match", `"2"`).refused(domain.CodeVersionConflict, "current_version", "3")
	member.patch(at, `{"priority":null}`).invalid("/priority type")
	member.patch(at, `{"labels":["a","a"]}`).invalid("/labels/1 duplicate")
	member.patch(at, `{"project_id":"`+project.ID.String()+`"}`).invalid("/project_id unknown")

	// A member deletes what they made, a manager anything.
	managers := "/v1/tasks/" + manager.task(project.ID, "Manager's").ID.String()
	member.delete(managers).refused(domain.CodeNotYours)
	member.delete(managers, "If-Match", `"9"`).refused(domain.CodeNotYours) // before 412
	manager.delete(managers, "If-Match", `"9"`).refused(domain.CodeVersionConflict, "current_version", "1")
	manager.delete(managers).want(204)
	member.delete(at, "If-Match", `"3"`).want(204)
	member.get(at).refused(domain.CodeNotFound)
	member.patch(at, `{"title":"x"}`).refused(domain.CodeNotFound)
	member.delete(at).refused(domain.CodeNotFound)
	history := items[historyItemBody](member.get(at + "/history"))
	if len(history) != 4 || history[3].Type != "task.deleted" || !strings.Contains(history[1].Summary, "title and status") {
		t.Errorf("%d events, the second %q", len(history), history[1].Summary)
	}

	// What a closed project has can be read, not written; with a deleted one it is gone.
	member.post("/v1/projects/"+project.ID.String()+"/transitions", `{"to":"cancelled"}`).refused(domain.CodeNotYours)
	manager.move(project.ID, domain.Cancelled)
	at = "/v1/tasks/" + plain.ID.String()
	for _, closed := range []*answer{member.post(tasks, `{"title":"x"}`), member.patch(at, `{"title":"x"}`), member.delete(at)} {
		closed.refused(domain.CodeProjectClosed, "current_status", `"cancelled"`)
	}
	member.delete(at, "If-Match", `"9"`).refused(domain.CodeVersionConflict) // before 409
	member.get(at).want(200)
	owner.delete("/v1/projects/" + project.ID.String()).want(204)
	for _, gone := range []*answer{owner.get(at), owner.patch(at, `{"title":"x"}`), owner.delete(at), owner.get(tasks), owner.post(tasks, `{"title":"x"}`)} {
		gone.refused(domain.CodeNotFound)
	}
	owner.get(at + "/history").want(200)
}

func TestTaskFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.user("Ann"), w.user("Bob")
	project := ann.project("Site")
	tasks := "/v1/projects/" + project.ID.String() + "/tasks"
	make := func(title, more string) {
		ann.post(tasks, `{"title":"`+title+`"`+more+`}`).want(201)
	}
	make("1", `,"priority":"low","labels":["a","b"]`)
	make("2", `,"priority":"high","labels":["b"],"assignee_id":"`+bob.id.String()+`"`)
	make("3", `,"priority":"high","labels":["B","%_"]`)
	ann.task(ann.project("Other").ID, "not here")
	third := items[taskBody](ann.get(tasks))[2]
	ann.patch("/v1/tasks/"+third.ID.String(), `{"status":"done"}`).want(200)

	for query, want := range map[string]string{
		"":                                    "123",
		"?status=todo":                        "12",
		"?status=done":                        "3",
		"?status=in_progress":                 "",
		"?priority=high":                      "23",
		"?priority=high&status=todo":          "2",
		"?label=b":                            "12",
		"?label=a&label=":                     "refused",
		"?label=%25_":                         "3",
		"?label=%25":                          "",
		"?assignee_id=" + bob.id.String():     "2",
		"?assignee_id=" + ann.id.String():     "",
		"?assignee_id=" + project.ID.String(): "",
		"?assignee_id=00000000-0000-0000-0000-000000000000": "", // the nil id matches no task
	} {
		answer := ann.get(tasks + query)
		if want == "refused" {
			answer.invalid("/label duplicate")
			continue
		}
		got := ""
		for _, task := range items[taskBody](answer) {
			got += task.Title
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}
