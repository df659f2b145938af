package domain

import (
	"slices"
	"time"
)

// TaskStatus is the status of a task. Any status may follow any other.
type TaskStatus string

// The statuses of a task.
const (
	Todo       TaskStatus = "todo"
	InProgress TaskStatus = "in_progress"
	Done       TaskStatus = "done"
)

// Priority orders tasks by urgency.
type Priority string

// The priorities.
const (
	Low    Priority = "low"
	Normal Priority = "normal"
	High   Priority = "high"
	Urgent Priority = "urgent"
)

// All values, the lowest first.
var (
	taskStatuses = []TaskStatus{Todo, InProgress, Done}
	priorities   = []Priority{Low, Normal, High, Urgent}
)

// TaskStatuses are all statuses of tasks, in their order.
func TaskStatuses() []TaskStatus { return slices.Clone(taskStatuses) }

// Priorities are all priorities, the least urgent first.
func Priorities() []Priority { return slices.Clone(priorities) }

// Task is the state of a task, folded from its stream.
type Task struct {
	ID          TaskID
	ProjectID   ProjectID
	Title       string
	Description *string
	Status      TaskStatus
	Priority    Priority
	AssigneeID  *UserID
	Labels      []string
	DueDate     *Date
	CreatedBy   UserID
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Deleted     bool
	Version     int
}

// TaskCommand is one of CreateTask, EditTask and DeleteTask. Each carries the
// folded project, which the append guards.
type TaskCommand interface{ taskCommand() }

// CreateTask adds a task to a project. Assignee is the membership of the user in
// AssigneeID, if it is set.
type CreateTask struct {
	ID          TaskID
	Project     Project
	Title       string
	Description *string
	Priority    Priority
	AssigneeID  *UserID
	Assignee    Membership
	Labels      []string
	DueDate     *Date
}

// EditTask changes a task's fields; Assignee as in CreateTask.
type EditTask struct {
	IfMatch     IfMatch
	Project     Project
	Title       Edit[string]
	Description Edit[*string]
	Status      Edit[TaskStatus]
	Priority    Edit[Priority]
	AssigneeID  Edit[*UserID]
	Assignee    Membership
	Labels      Edit[[]string]
	DueDate     Edit[*Date]
}

// DeleteTask deletes a task. Its events remain.
type DeleteTask struct {
	IfMatch IfMatch
	Project Project
}

func (CreateTask) taskCommand() {}
func (EditTask) taskCommand()   {}
func (DeleteTask) taskCommand() {}

// DecideTask decides a command on a task. Errors, in the order of the checks:
// CodeValidationFailed, CodeNotFound, CodeNotYours or CodeInsufficientRole,
// CodeVersionConflict, CodeProjectClosed, CodeConcurrentUpdate, and last
// CodeValidationFailed again if the assignee isn't a member, which depends on the
// tenant and not on the request alone.
func DecideTask(t Task, by Actor, c TaskCommand) ([]Event, error) {
	switch c := c.(type) {
	case CreateTask:
		return t.create(by, c)
	case EditTask:
		return t.edit(by, c)
	case DeleteTask:
		return t.delete(by, c)
	}
	return nil, unknownCommand(c)
}

// Exists reports whether the task and its project exist: created and not deleted.
func (t Task) Exists(p Project) bool {
	return t.Version > 0 && !t.Deleted && p.ID == t.ProjectID && p.Exists()
}

// Check returns CodeValidationFailed for what is wrong with the command in every state.
func (c CreateTask) Check() error {
	return Task{
		Title: c.Title, Description: c.Description, Status: Todo, Priority: c.Priority, Labels: c.Labels, DueDate: c.DueDate,
	}.check()
}

// Check returns CodeValidationFailed for what is wrong with the command in every state.
// Absent fields count as valid.
func (c EditTask) Check() error {
	return Task{
		Title: c.Title.Or("-"), Description: c.Description.Or(nil), Status: c.Status.Or(Todo),
		Priority: c.Priority.Or(Normal), Labels: c.Labels.Or(nil), DueDate: c.DueDate.Or(nil),
	}.check()
}

func (t Task) create(by Actor, c CreateTask) ([]Event, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if !c.Project.Exists() {
		return nil, NotFound("project")
	}
	if err := Permit(TaskCreate, by.Role, false, ""); err != nil {
		return nil, err
	}
	if err := c.Project.writable(); err != nil {
		return nil, err
	}
	if t.Version > 0 {
		return nil, Refuse(CodeConcurrentUpdate, "a task with this id exists")
	}
	if err := checkAssignee(c.AssigneeID, c.Assignee); err != nil {
		return nil, err
	}
	return []Event{TaskCreated{
		TaskID: c.ID, ProjectID: c.Project.ID, ProjectName: c.Project.Name, OwnerID: c.Project.OwnerID,
		Title: c.Title, Description: c.Description, Priority: c.Priority, AssigneeID: c.AssigneeID,
		Labels: notNil(c.Labels), DueDate: c.DueDate,
	}}, nil
}

func (t Task) edit(by Actor, c EditTask) ([]Event, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if !t.Exists(c.Project) {
		return nil, NotFound("task")
	}
	if err := Permit(TaskEdit, by.Role, t.CreatedBy == by.ID, ""); err != nil {
		return nil, err
	}
	if err := c.IfMatch.Check(t.Version); err != nil {
		return nil, err
	}
	if err := c.Project.writable(); err != nil {
		return nil, err
	}
	next := t
	next.Title = c.Title.Or(t.Title)
	next.Description = c.Description.Or(t.Description)
	next.Status = c.Status.Or(t.Status)
	next.Priority = c.Priority.Or(t.Priority)
	next.AssigneeID = c.AssigneeID.Or(t.AssigneeID)
	next.Labels = notNil(c.Labels.Or(t.Labels))
	next.DueDate = c.DueDate.Or(t.DueDate)
	list := t.changes(next)
	if len(list) == 0 {
		return nil, nil
	}
	if !sameUser(t.AssigneeID, next.AssigneeID) {
		if err := checkAssignee(next.AssigneeID, c.Assignee); err != nil {
			return nil, err
		}
	}
	return []Event{TaskUpdated{
		TaskID: t.ID, ProjectID: t.ProjectID, ProjectName: c.Project.Name, OwnerID: c.Project.OwnerID,
		Title: next.Title, AssigneeID: next.AssigneeID, Changes: list,
	}}, nil
}

func (t Task) changes(next Task) []Change {
	var list []Change
	list = changed(list, "title", t.Title, next.Title)
	list = changed(list, "description", t.Description, next.Description)
	list = changed(list, "status", t.Status, next.Status)
	list = changed(list, "priority", t.Priority, next.Priority)
	list = changed(list, "assignee_id", t.AssigneeID, next.AssigneeID)
	list = changed(list, "labels", t.Labels, next.Labels)
	return changed(list, "due_date", t.DueDate, next.DueDate)
}

func (t Task) delete(by Actor, c DeleteTask) ([]Event, error) {
	if !t.Exists(c.Project) {
		return nil, NotFound("task")
	}
	if err := Permit(TaskDelete, by.Role, t.CreatedBy == by.ID, ""); err != nil {
		return nil, err
	}
	if err := c.IfMatch.Check(t.Version); err != nil {
		return nil, err
	}
	if err := c.Project.writable(); err != nil {
		return nil, err
	}
	return []Event{TaskDeleted{
		TaskID: t.ID, ProjectID: t.ProjectID, ProjectName: c.Project.Name, OwnerID: c.Project.OwnerID,
		Title: t.Title, AssigneeID: t.AssigneeID,
	}}, nil
}

func (t Task) check() error {
	var f findings
	f.name("/title", t.Title, MaxName)
	if t.Description != nil {
		f.text("/description", *t.Description, 0, MaxDescription)
	}
	oneOf(&f, "/status", t.Status, taskStatuses...)
	oneOf(&f, "/priority", t.Priority, priorities...)
	f.labels("/labels", t.Labels)
	f.date("/due_date", t.DueDate)
	return f.err()
}

func checkAssignee(id *UserID, m Membership) error {
	if id == nil || m.mayHold(*id) {
		return nil
	}
	return Invalid("/assignee_id", "not_a_member", "an assignee is a member of the tenant, not a viewer or auditor")
}

func sameUser(a, b *UserID) bool { return a == b || a != nil && b != nil && *a == *b }

// notNil returns an empty list instead of nil, so that its JSON is [] and not null.
func notNil(labels []string) []string {
	if labels == nil {
		return []string{}
	}
	return labels
}
