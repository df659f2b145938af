package domain

import (
	"slices"
	"time"
)

// Visibility says whether a project is listed in the tenant's public catalog.
type Visibility string

// The visibilities.
const (
	Private Visibility = "private"
	Public  Visibility = "public"
)

// Project is the state of a project, folded from its stream.
type Project struct {
	ID          ProjectID
	Name        string
	Description *string
	Status      Status
	Visibility  Visibility
	DueDate     *Date
	OwnerID     UserID
	CreatedBy   UserID
	// SubmittedBy is the user of the last submission; zero if there was none.
	SubmittedBy UserID
	// EditedBy are the users who changed what was submitted since, each once, in order.
	EditedBy  []UserID
	CreatedAt time.Time
	UpdatedAt time.Time
	Deleted   bool
	Version   int
}

// ProjectCommand is one of CreateProject, EditProject, MoveProject and DeleteProject.
type ProjectCommand interface{ projectCommand() }

// CreateProject creates a draft whose owner is the actor.
type CreateProject struct {
	ID          ProjectID
	Name        string
	Description *string
	Visibility  Visibility
	DueDate     *Date
}

// EditProject changes a project's fields. NewOwner is the membership of the user in
// OwnerID, if it is set.
type EditProject struct {
	IfMatch     IfMatch
	Name        Edit[string]
	Description Edit[*string]
	Visibility  Edit[Visibility]
	DueDate     Edit[*Date]
	OwnerID     Edit[UserID]
	NewOwner    Membership
	// FourEyes is the tenant's setting, whose stream the append guards. An approved
	// project alone asks for it.
	FourEyes bool
}

// MoveProject moves a project to another status.
type MoveProject struct {
	IfMatch IfMatch
	To      Status
	Comment *string
	// FourEyes is the tenant's setting, whose stream the append guards.
	FourEyes bool
}

// DeleteProject deletes a project. Its events remain.
type DeleteProject struct{ IfMatch IfMatch }

func (CreateProject) projectCommand() {}
func (EditProject) projectCommand()   {}
func (MoveProject) projectCommand()   {}
func (DeleteProject) projectCommand() {}

// DecideProject decides a command on a project. Errors, in the order of the checks:
// CodeValidationFailed, CodeNotFound, CodeNotYours or CodeInsufficientRole,
// CodeVersionConflict, CodeProjectClosed or CodeInvalidTransition, and last
// CodeValidationFailed again if the new owner isn't a member, which depends on the
// tenant and not on the request alone.
func DecideProject(p Project, by Actor, c ProjectCommand) ([]Event, error) {
	switch c := c.(type) {
	case CreateProject:
		return p.create(by, c)
	case EditProject:
		return p.edit(by, c)
	case MoveProject:
		return p.move(by, c)
	case DeleteProject:
		return p.delete(by, c)
	}
	return nil, unknownCommand(c)
}

// Exists reports whether the project was created and not deleted.
func (p Project) Exists() bool { return p.Version > 0 && !p.Deleted }

func (p Project) create(by Actor, c CreateProject) ([]Event, error) {
	if err := checkProject(c.Name, c.Description, c.Visibility, c.DueDate); err != nil {
		return nil, err
	}
	if err := Permit(ProjectCreate, by.Role, false, ""); err != nil {
		return nil, err
	}
	if p.Version > 0 {
		return nil, Refuse(CodeConcurrentUpdate, "a project with this id exists")
	}
	return []Event{ProjectCreated{
		ProjectID: c.ID, Name: c.Name, Description: c.Description, Visibility: c.Visibility,
		DueDate: c.DueDate, OwnerID: by.ID,
	}}, nil
}

func (p Project) edit(by Actor, c EditProject) ([]Event, error) {
	// Absent members count as valid: this checks the request alone.
	if err := checkProject(c.Name.Or("-"), c.Description.Or(nil), c.Visibility.Or(Private), c.DueDate.Or(nil)); err != nil {
		return nil, err
	}
	if !p.Exists() {
		return nil, NotFound("project")
	}
	status := p.Status
	if status.Closed() {
		// No role may edit a closed project: writable refuses it below, not Permit.
		status = Draft
	}
	if err := Permit(ProjectEdit, by.Role, p.OwnerID == by.ID, status); err != nil {
		return nil, err
	}
	if err := c.IfMatch.Check(p.Version); err != nil {
		return nil, err
	}
	if err := p.writable(); err != nil {
		return nil, err
	}
	next := p
	next.Name = c.Name.Or(p.Name)
	next.Description = c.Description.Or(p.Description)
	next.Visibility = c.Visibility.Or(p.Visibility)
	next.DueDate = c.DueDate.Or(p.DueDate)
	next.OwnerID = c.OwnerID.Or(p.OwnerID)
	if next.OwnerID != p.OwnerID && !c.NewOwner.mayHold(next.OwnerID) {
		return nil, Invalid("/owner_id", "not_a_member", "a project's owner is a member of the tenant, not a viewer or auditor")
	}
	var list []Change
	list = changed(list, "name", p.Name, next.Name)
	list = changed(list, "description", p.Description, next.Description)
	list = changed(list, "visibility", p.Visibility, next.Visibility)
	list = changed(list, "due_date", p.DueDate, next.DueDate)
	list = changed(list, "owner_id", p.OwnerID, next.OwnerID)
	if len(list) == 0 {
		return nil, nil
	}
	update := ProjectUpdated{ProjectID: p.ID, Name: next.Name, OwnerID: next.OwnerID, Changes: list}
	if p.Status != Approved {
		return []Event{update}, nil
	}
	if !c.FourEyes {
		update.AfterApproval = true
		return []Event{update}, nil
	}
	// The approval was of what was submitted: what it has become is submitted again.
	return []Event{update, ProjectStatusChanged{
		ProjectID: p.ID, Name: next.Name, OwnerID: next.OwnerID, From: Approved, To: Submitted, AfterEdit: true,
	}}, nil
}

func (p Project) move(by Actor, c MoveProject) ([]Event, error) {
	var f findings
	if !c.To.Known() {
		f.add("/to", "enum", "not a status of the workflow")
	}
	if c.Comment != nil {
		f.text("/comment", *c.Comment, 0, MaxDescription)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	if !p.Exists() {
		return nil, NotFound("project")
	}
	if err := Permit(ProjectTransition, by.Role, p.OwnerID == by.ID, p.Status); err != nil {
		return nil, err
	}
	step, ok := FindTransition(p.Status, c.To)
	if ok && !by.Role.AtLeast(step.Least) {
		return nil, InsufficientRole(step.Least, by.Role)
	}
	if ok && c.FourEyes && step.FourEyes && p.wroteSubmission(by.ID) {
		return nil, Refuse(CodeNotYours, "in this tenant a member who submitted a project, or edited it since, can't move it to %s", c.To)
	}
	if err := c.IfMatch.Check(p.Version); err != nil {
		return nil, err
	}
	if !ok {
		return nil, invalidTransition(p.Status, c.To)
	}
	move := ProjectStatusChanged{
		ProjectID: p.ID, Name: p.Name, OwnerID: p.OwnerID, From: p.Status, To: c.To, Comment: c.Comment,
	}
	if c.To == Approved {
		move.ApprovedVersion = p.Version
	}
	return []Event{move}, nil
}

func (p Project) delete(by Actor, c DeleteProject) ([]Event, error) {
	if !p.Exists() {
		return nil, NotFound("project")
	}
	if err := Permit(ProjectDelete, by.Role, p.OwnerID == by.ID, p.Status); err != nil {
		return nil, err
	}
	if err := c.IfMatch.Check(p.Version); err != nil {
		return nil, err
	}
	return []Event{ProjectDeleted{ProjectID: p.ID, Name: p.Name, OwnerID: p.OwnerID, Status: p.Status}}, nil
}

// MayMove reports whether a member may make a transition of this project now.
// fourEyes is the tenant's setting.
func (p Project) MayMove(by Actor, t Transition, fourEyes bool) bool {
	return p.Exists() && t.From == p.Status && by.Role.AtLeast(t.Least) &&
		!(fourEyes && t.FourEyes && p.wroteSubmission(by.ID)) &&
		Permit(ProjectTransition, by.Role, p.OwnerID == by.ID, p.Status) == nil
}

// wroteSubmission reports whether a user submitted the project, or edited it since: with
// four eyes, what they wrote is for others to approve.
func (p Project) wroteSubmission(u UserID) bool {
	return p.SubmittedBy == u || slices.Contains(p.EditedBy, u)
}

// editedBy returns the project with a user among EditedBy. It shares no memory with p's
// list, which others may hold.
func (p Project) editedBy(u UserID) Project {
	if !slices.Contains(p.EditedBy, u) {
		p.EditedBy = append(slices.Clone(p.EditedBy), u)
	}
	return p
}

// writable returns CodeProjectClosed for a project that can only be read.
func (p Project) writable() error {
	if p.Status.Closed() {
		return Refuse(CodeProjectClosed, "the project is %s: it can be read, not written", p.Status).
			With("current_status", p.Status)
	}
	return nil
}

// mayHold reports whether the user is a member who may own a project or be assigned.
func (m Membership) mayHold(u UserID) bool { return m.Active && m.UserID == u && m.Role.Assignable() }

func checkProject(name string, description *string, v Visibility, due *Date) error {
	var f findings
	f.name("/name", name, MaxName)
	if description != nil {
		f.text("/description", *description, 0, MaxDescription)
	}
	oneOf(&f, "/visibility", v, Private, Public)
	f.date("/due_date", due)
	return f.err()
}
