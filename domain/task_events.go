package domain

// TaskCreated is the first event of a task's stream. ProjectName and OwnerID are the project's.
type TaskCreated struct {
	TaskID      TaskID    `json:"task_id"`
	ProjectID   ProjectID `json:"project_id"`
	ProjectName string    `json:"project_name"`
	OwnerID     UserID    `json:"owner_id"`
	Title       string    `json:"title"`
	Description *string   `json:"description"`
	Priority    Priority  `json:"priority"`
	AssigneeID  *UserID   `json:"assignee_id"`
	Labels      []string  `json:"labels"`
	DueDate     *Date     `json:"due_date"`
}

// TaskUpdated says which fields changed; Title and AssigneeID are those after it.
type TaskUpdated struct {
	TaskID      TaskID    `json:"task_id"`
	ProjectID   ProjectID `json:"project_id"`
	ProjectName string    `json:"project_name"`
	OwnerID     UserID    `json:"owner_id"`
	Title       string    `json:"title"`
	AssigneeID  *UserID   `json:"assignee_id"`
	Changes     []Change  `json:"changes"`
}

// TaskDeleted says that a task was deleted.
type TaskDeleted struct {
	TaskID      TaskID    `json:"task_id"`
	ProjectID   ProjectID `json:"project_id"`
	ProjectName string    `json:"project_name"`
	OwnerID     UserID    `json:"owner_id"`
	Title       string    `json:"title"`
	AssigneeID  *UserID   `json:"assignee_id"`
}

// EventType is the stored name.
func (TaskCreated) EventType() string { return "task.created" }

// EventType is the stored name.
func (TaskUpdated) EventType() string { return "task.updated" }

// EventType is the stored name.
func (TaskDeleted) EventType() string { return "task.deleted" }

// taskFields are the fields that TaskUpdated may change.
var taskFields = fields[Task]{
	"title":       field(func(t *Task) *string { return &t.Title }),
	"description": field(func(t *Task) **string { return &t.Description }),
	"status":      field(func(t *Task) *TaskStatus { return &t.Status }),
	"priority":    field(func(t *Task) *Priority { return &t.Priority }),
	"assignee_id": field(func(t *Task) **UserID { return &t.AssigneeID }),
	"labels":      field(func(t *Task) *[]string { return &t.Labels }),
	"due_date":    field(func(t *Task) **Date { return &t.DueDate }),
}

// TaskFields are the names of the fields that TaskUpdated may change, sorted.
func TaskFields() []string { return taskFields.names() }

// Evolve folds one event of the task's stream.
func (t Task) Evolve(r Recorded) (Task, error) {
	switch e := r.Event.(type) {
	case TaskCreated:
		t = Task{
			ID: e.TaskID, ProjectID: e.ProjectID, Title: e.Title, Description: e.Description,
			Status: Todo, Priority: e.Priority, AssigneeID: e.AssigneeID, Labels: notNil(e.Labels),
			DueDate: e.DueDate, CreatedBy: r.Actor, CreatedAt: r.At,
		}
	case TaskUpdated:
		var err error
		if t, err = taskFields.apply(t, e.Changes); err != nil {
			return t, err
		}
	case TaskDeleted:
		t.Deleted = true
	default:
		return t, unknownTo("task", r.Event)
	}
	t.UpdatedAt, t.Version = r.At, r.Version
	return t, nil
}
