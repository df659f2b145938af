package domain

// TaskCreated opens a task's stream. ProjectName and OwnerID are the project's.
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

// TaskDeleted ends a task.
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
		next := t
		if err := applyChanges(e.Changes, map[string]func([]byte) error{
			"title":       func(v []byte) error { return set(&next.Title, v) },
			"description": func(v []byte) error { return set(&next.Description, v) },
			"status":      func(v []byte) error { return set(&next.Status, v) },
			"priority":    func(v []byte) error { return set(&next.Priority, v) },
			"assignee_id": func(v []byte) error { return set(&next.AssigneeID, v) },
			"labels":      func(v []byte) error { return set(&next.Labels, v) },
			"due_date":    func(v []byte) error { return set(&next.DueDate, v) },
		}); err != nil {
			return t, err
		}
		t = next
	case TaskDeleted:
		t.Deleted = true
	default:
		return t, unknownTo("task", r.Event)
	}
	t.UpdatedAt, t.Version = r.At, r.Version
	return t, nil
}
