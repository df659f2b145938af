package domain

// ProjectCreated is the first event of a project's stream: the project is a draft.
type ProjectCreated struct {
	ProjectID   ProjectID  `json:"project_id"`
	Name        string     `json:"name"`
	Description *string    `json:"description"`
	Visibility  Visibility `json:"visibility"`
	DueDate     *Date      `json:"due_date"`
	OwnerID     UserID     `json:"owner_id"`
}

// ProjectUpdated says which fields changed; Name and OwnerID are those after it.
// AfterApproval says that the project was approved and stays so, although what was
// approved changed: the tenant has no four eyes. It is false, unknown, in schema version 1.
type ProjectUpdated struct {
	ProjectID     ProjectID `json:"project_id"`
	Name          string    `json:"name"`
	OwnerID       UserID    `json:"owner_id"`
	Changes       []Change  `json:"changes"`
	AfterApproval bool      `json:"after_approval"`
}

// updatedWithAfterApproval upcasts project.updated from schema version 1 to 2.
var updatedWithAfterApproval = addField("after_approval", false)

// ProjectStatusChanged says that a project moved to another status. ApprovedVersion is
// the version of the project that an approval approved, and 0 for other moves. AfterEdit
// says that an edit of the approved project took it back to submitted, in the same
// Commit. Both are 0 and false, unknown, in schema version 1.
type ProjectStatusChanged struct {
	ProjectID       ProjectID `json:"project_id"`
	Name            string    `json:"name"`
	OwnerID         UserID    `json:"owner_id"`
	From            Status    `json:"from"`
	To              Status    `json:"to"`
	Comment         *string   `json:"comment"`
	ApprovedVersion int       `json:"approved_version"`
	AfterEdit       bool      `json:"after_edit"`
}

// movedWithApprovedVersion upcasts project.status_changed from schema version 1 to 2.
var movedWithApprovedVersion = addFields(map[string]any{"approved_version": 0, "after_edit": false})

// ProjectDeleted says that a project was deleted, and with it its tasks and comments.
type ProjectDeleted struct {
	ProjectID ProjectID `json:"project_id"`
	Name      string    `json:"name"`
	OwnerID   UserID    `json:"owner_id"`
	Status    Status    `json:"status"`
}

// EventType is the stored name.
func (ProjectCreated) EventType() string { return "project.created" }

// EventType is the stored name.
func (ProjectUpdated) EventType() string { return "project.updated" }

// EventType is the stored name.
func (ProjectStatusChanged) EventType() string { return "project.status_changed" }

// EventType is the stored name.
func (ProjectDeleted) EventType() string { return "project.deleted" }

// projectFields are the fields that ProjectUpdated may change.
var projectFields = fields[Project]{
	"name":        field(func(p *Project) *string { return &p.Name }),
	"description": field(func(p *Project) **string { return &p.Description }),
	"visibility":  field(func(p *Project) *Visibility { return &p.Visibility }),
	"due_date":    field(func(p *Project) **Date { return &p.DueDate }),
	"owner_id":    field(func(p *Project) *UserID { return &p.OwnerID }),
}

// ProjectFields are the names of the fields that ProjectUpdated may change, sorted.
func ProjectFields() []string { return projectFields.names() }

// Evolve folds one event of the project's stream.
func (p Project) Evolve(r Recorded) (Project, error) {
	switch e := r.Event.(type) {
	case ProjectCreated:
		p = Project{
			ID: e.ProjectID, Name: e.Name, Description: e.Description, Status: Draft,
			Visibility: e.Visibility, DueDate: e.DueDate, OwnerID: e.OwnerID,
			CreatedBy: r.Actor, CreatedAt: r.At,
		}
	case ProjectUpdated:
		var err error
		if p, err = projectFields.apply(p, e.Changes); err != nil {
			return p, err
		}
		if p.Status == Submitted {
			p = p.editedBy(r.Actor)
		}
	case ProjectStatusChanged:
		p.Status = e.To
		switch {
		case e.AfterEdit:
			p = p.editedBy(r.Actor)
		case e.To == Submitted:
			p.SubmittedBy, p.EditedBy = r.Actor, nil
		}
	case ProjectDeleted:
		p.Deleted = true
	default:
		return p, unknownTo("project", r.Event)
	}
	p.UpdatedAt, p.Version = r.At, r.Version
	return p, nil
}
