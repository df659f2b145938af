package domain_test

import (
	"fmt"
	"strings"
	"testing"

	"docket/domain"

	"github.com/google/go-cmp/cmp"
)

// The tests' tasks are created by person 4, in the project of person 1.
var tasks = subject[domain.Task, domain.TaskCommand]{
	stream: domain.Stream(domain.TaskStream, taskID),
	author: actor(4, domain.Member),
	decide: domain.DecideTask,
}

func taskCreated() domain.TaskCreated {
	return domain.TaskCreated{
		TaskID: taskID, ProjectID: projectID, ProjectName: "Quay", OwnerID: person(1), Title: "Survey",
		Description: ptr("By boat"), Priority: domain.High, AssigneeID: ptr(person(5)), Labels: []string{"sea", "bed"},
		DueDate: ptr(domain.Date("2026-12-01")),
	}
}

func taskUpdated(title string, assignee *domain.UserID, changes ...domain.Change) []domain.Event {
	return []domain.Event{domain.TaskUpdated{
		TaskID: taskID, ProjectID: projectID, ProjectName: "Quay", OwnerID: person(1),
		Title: title, AssigneeID: assignee, Changes: changes,
	}}
}

func taskDeleted() domain.TaskDeleted {
	return domain.TaskDeleted{
		TaskID: taskID, ProjectID: projectID, ProjectName: "Quay", OwnerID: person(1),
		Title: "Survey", AssigneeID: ptr(person(5)),
	}
}

func TestTaskCreate(t *testing.T) {
	t.Parallel()
	active, by := projectAt(t, domain.Active), actor(4, domain.Member)
	full := domain.CreateTask{
		ID: taskID, Project: active, Title: "Survey", Description: ptr("By boat"), Priority: domain.High,
		AssigneeID: ptr(person(5)), Assignee: membership(5, domain.Member), Labels: []string{"sea", "bed"},
		DueDate: ptr(domain.Date("2026-12-01")),
	}
	least := domain.CreateTask{ID: taskID, Project: active, Title: "S", Priority: domain.Normal}
	with := func(change func(*domain.CreateTask)) domain.CreateTask {
		c := full
		change(&c)
		return c
	}
	tasks.run(t, []scenario[domain.TaskCommand]{
		{name: "create", by: by, when: full, then: []domain.Event{taskCreated()}},
		{
			name: "create the least; no labels are an empty list", by: by, when: least,
			then: []domain.Event{domain.TaskCreated{
				TaskID: taskID, ProjectID: projectID, ProjectName: "Quay", OwnerID: person(1),
				Title: "S", Priority: domain.Normal, Labels: []string{},
			}},
		},
		{name: "create as viewer", by: actor(4, domain.Viewer), when: full, refused: domain.CodeInsufficientRole,
			with: map[string]any{"required_role": domain.Member, "your_role": domain.Viewer}},
		{name: "create as auditor", by: actor(4, domain.Auditor), when: full, refused: domain.CodeInsufficientRole},
		{name: "create twice", given: []domain.Event{taskCreated()}, by: by, when: full, refused: domain.CodeConcurrentUpdate},
		{name: "in no project", by: by, when: with(func(c *domain.CreateTask) { c.Project = domain.Project{} }), refused: domain.CodeNotFound},
		{name: "in a deleted project", by: by, when: with(func(c *domain.CreateTask) { c.Project.Deleted = true }), refused: domain.CodeNotFound},
		{name: "for a stranger", by: by, when: with(func(c *domain.CreateTask) { c.Assignee = domain.Membership{} }), refused: domain.CodeValidationFailed, at: "/assignee_id"},
		{name: "for a viewer", by: by, when: with(func(c *domain.CreateTask) { c.Assignee.Role = domain.Viewer }), refused: domain.CodeValidationFailed, at: "/assignee_id"},
		{name: "for an auditor", by: by, when: with(func(c *domain.CreateTask) { c.Assignee.Role = domain.Auditor }), refused: domain.CodeValidationFailed, at: "/assignee_id"},
		{name: "for one who left", by: by, when: with(func(c *domain.CreateTask) { c.Assignee.Active = false }), refused: domain.CodeValidationFailed, at: "/assignee_id"},
		{name: "for one by another's membership", by: by, when: with(func(c *domain.CreateTask) { c.Assignee = membership(6, domain.Owner) }), refused: domain.CodeValidationFailed, at: "/assignee_id"},
		{
			name: "with everything wrong", by: by,
			when: domain.CreateTask{
				ID: taskID, Project: active, Description: ptr("\x07"), Priority: "asap", Labels: []string{"", "a", "a"}, DueDate: ptr(domain.Date("2026-02-30")),
			},
			refused: domain.CodeValidationFailed, at: "/title /description /priority /labels/0 /labels/2 /due_date",
		},
	})
	for _, s := range domain.Statuses() {
		c := least
		c.Project = projectAt(t, s.Name)
		_, err := domain.DecideTask(domain.Task{}, by, c)
		if closed := domain.CodeOf(err) == domain.CodeProjectClosed; closed != s.Closed || !closed && err != nil {
			t.Errorf("in a project that is %s: %v", s.Name, err)
		}
	}
}

func TestTaskEdit(t *testing.T) {
	t.Parallel()
	active, by := projectAt(t, domain.Active), actor(6, domain.Member)
	given := []domain.Event{taskCreated()}
	edit := func(change func(*domain.EditTask)) domain.EditTask {
		c := domain.EditTask{Project: active}
		change(&c)
		return c
	}
	to5 := []byte(`"` + person(5).String() + `"`)
	tasks.run(t, []scenario[domain.TaskCommand]{
		{
			name: "everything at once, another's task", given: given, by: by,
			when: domain.EditTask{
				IfMatch: domain.IfVersion(1), Project: active, Title: domain.To("Dredge"), Description: domain.To(ptr("By ship")),
				Status: domain.To(domain.InProgress), Priority: domain.To(domain.Low), AssigneeID: domain.To(ptr(person(6))),
				Assignee: membership(6, domain.Manager), Labels: domain.To([]string{"bed", "sea"}), DueDate: domain.To(ptr(domain.Date("2026-12-02"))),
			},
			then: taskUpdated("Dredge", ptr(person(6)),
				domain.Change{Field: "title", From: []byte(`"Survey"`), To: []byte(`"Dredge"`)},
				domain.Change{Field: "description", From: []byte(`"By boat"`), To: []byte(`"By ship"`)},
				domain.Change{Field: "status", From: []byte(`"todo"`), To: []byte(`"in_progress"`)},
				domain.Change{Field: "priority", From: []byte(`"high"`), To: []byte(`"low"`)},
				domain.Change{Field: "assignee_id", From: to5, To: []byte(`"` + person(6).String() + `"`)},
				domain.Change{Field: "labels", From: []byte(`["sea","bed"]`), To: []byte(`["bed","sea"]`)},
				domain.Change{Field: "due_date", From: []byte(`"2026-12-01"`), To: []byte(`"2026-12-02"`)}),
		}, {
			name: "null clears", given: given, by: by,
			when: domain.EditTask{
				Project: active, Description: domain.To[*string](nil), AssigneeID: domain.To[*domain.UserID](nil),
				Labels: domain.To[[]string](nil), DueDate: domain.To[*domain.Date](nil),
			},
			then: taskUpdated("Survey", nil,
				domain.Change{Field: "description", From: []byte(`"By boat"`), To: []byte(`null`)},
				domain.Change{Field: "assignee_id", From: to5, To: []byte(`null`)},
				domain.Change{Field: "labels", From: []byte(`["sea","bed"]`), To: []byte(`[]`)},
				domain.Change{Field: "due_date", From: []byte(`"2026-12-01"`), To: []byte(`null`)}),
		}, {
			name: "null doesn't clear what is needed", given: given, by: by,
			when: domain.EditTask{
				Project: active, Title: domain.To(""), Status: domain.To(domain.TaskStatus("")), Priority: domain.To(domain.Priority("")),
			},
			refused: domain.CodeValidationFailed, at: "/title /status /priority",
		},
		{name: "nothing", given: given, by: by, when: domain.EditTask{Project: active}},
		{
			name: "to what it is, though the assignee left", given: given, by: by,
			when: edit(func(c *domain.EditTask) {
				c.Title, c.AssigneeID = domain.To("Survey"), domain.To(ptr(person(5)))
				c.Labels = domain.To([]string{"sea", "bed"})
			}),
		}, {
			name: "another field, though the assignee left", given: given, by: by,
			when: edit(func(c *domain.EditTask) { c.Status = domain.To(domain.Done) }),
			then: taskUpdated("Survey", ptr(person(5)), domain.Change{Field: "status", From: []byte(`"todo"`), To: []byte(`"done"`)}),
		}, {
			name: "for a stranger", given: given, by: by,
			when:    edit(func(c *domain.EditTask) { c.AssigneeID = domain.To(ptr(person(6))) }),
			refused: domain.CodeValidationFailed, at: "/assignee_id",
		}, {
			name: "for a viewer", given: given, by: by,
			when: edit(func(c *domain.EditTask) {
				c.AssigneeID, c.Assignee = domain.To(ptr(person(6))), membership(6, domain.Viewer)
			}),
			refused: domain.CodeValidationFailed, at: "/assignee_id",
		}, {
			name: "in another project", given: given, by: by,
			when:    domain.EditTask{Project: domain.Project{ID: domain.ProjectID(nth(77)), Status: domain.Active, Version: 1}},
			refused: domain.CodeNotFound,
		}, {
			name: "deleted", given: append(given, taskDeleted()), by: by,
			when: domain.EditTask{Project: active}, refused: domain.CodeNotFound,
		}, {
			name: "as viewer", given: given, by: actor(4, domain.Viewer),
			when: domain.EditTask{Project: active}, refused: domain.CodeInsufficientRole,
		},
	})
}

func TestTaskDelete(t *testing.T) {
	t.Parallel()
	active, given := projectAt(t, domain.Active), []domain.Event{taskCreated()}
	remove := domain.DeleteTask{Project: active}
	tasks.run(t, []scenario[domain.TaskCommand]{
		{
			name: "one's own as member", given: given, by: actor(4, domain.Member),
			when: domain.DeleteTask{IfMatch: domain.IfVersion(1), Project: active}, then: []domain.Event{taskDeleted()},
		},
		{name: "any as manager", given: given, by: actor(2, domain.Manager), when: remove, then: []domain.Event{taskDeleted()}},
		{name: "another's as member", given: given, by: actor(6, domain.Member), when: remove, refused: domain.CodeNotYours},
		{name: "another's as its assignee", given: given, by: actor(5, domain.Member), when: remove, refused: domain.CodeNotYours},
		{name: "another's as the project's owner_id", given: given, by: actor(1, domain.Member), when: remove, refused: domain.CodeNotYours},
		{
			name: "one's own, since made a viewer", given: given, by: actor(4, domain.Viewer), when: remove, refused: domain.CodeInsufficientRole,
			with: map[string]any{"required_role": domain.Member, "your_role": domain.Viewer},
		},
		{name: "twice", given: append(given, taskDeleted()), by: actor(4, domain.Member), when: remove, refused: domain.CodeNotFound},
	})
}

func TestTaskFold(t *testing.T) {
	t.Parallel()
	update := taskUpdated("Dredge", nil,
		domain.Change{Field: "title", From: []byte(`"Survey"`), To: []byte(`"Dredge"`)},
		domain.Change{Field: "status", From: []byte(`"todo"`), To: []byte(`"done"`)},
		domain.Change{Field: "assignee_id", From: []byte(`null`), To: []byte(`null`)},
		domain.Change{Field: "labels", From: []byte(`["sea","bed"]`), To: []byte(`["sea"]`)},
	)
	got := fold[domain.Task](t, tasks.stream, tasks.author, taskCreated(), update[0], taskDeleted())
	want := domain.Task{
		ID: taskID, ProjectID: projectID, Title: "Dredge", Description: ptr("By boat"), Status: domain.Done,
		Priority: domain.High, Labels: []string{"sea"}, DueDate: ptr(domain.Date("2026-12-01")),
		CreatedBy: person(4), CreatedAt: moment(1), UpdatedAt: moment(3), Deleted: true, Version: 3,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

// The longest edit of a task, whose event contains the texts twice, fits the log's
// 48 KiB (DESIGN.md).
func TestLongestTaskEditFitsTheLog(t *testing.T) {
	t.Parallel()
	for _, r := range []string{"x", "é", "漢", "🚢", "<", "&", `"`, `\`, "\n", "\t", "\u2028", "\u2029", "\ufffd", "\u0338"} {
		p := domain.Project{ID: projectID, Name: strings.Repeat(r, domain.MaxName), Status: domain.Active, OwnerID: person(1), Version: 1}
		labels := func(last string) (out []string) {
			for n := range domain.MaxLabels {
				out = append(out, strings.Repeat(r, domain.MaxLabel-2)+fmt.Sprintf("%c%s", 'a'+n, last))
			}
			return out
		}
		text := func(n int, last string) string { return "z" + strings.Repeat(r, n-2) + last }
		task := domain.Task{
			ID: taskID, ProjectID: projectID, Title: text(domain.MaxName, "1"), Description: ptr(text(domain.MaxDescription, "1")),
			Status: domain.InProgress, Priority: domain.Normal, AssigneeID: ptr(person(5)), Labels: labels("1"),
			DueDate: ptr(domain.Date("2026-12-01")), CreatedBy: person(4), Version: 1,
		}
		events, err := domain.DecideTask(task, actor(4, domain.Member), domain.EditTask{
			Project: p, Title: domain.To(text(domain.MaxName, "2")), Description: domain.To(ptr(text(domain.MaxDescription, "2"))),
			Status: domain.To(domain.Done), Priority: domain.To(domain.Urgent), AssigneeID: domain.To(ptr(person(6))),
			Assignee: membership(6, domain.Member), Labels: domain.To(labels("2")), DueDate: domain.To(ptr(domain.Date("2026-12-02"))),
		})
		if err != nil || len(events) != 1 {
			t.Fatalf("%q: %v, %v", r, events, err)
		}
		_, data, err := domain.Encode(events[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > 48<<10 {
			t.Errorf("full of %q: %d octets", r, len(data))
		}
		if diff := cmp.Diff(events[0], stored(t, events[0])); diff != "" {
			t.Errorf("full of %q, stored (-want +got):\n%s", r, diff)
		}
	}
}
