package domain

import (
	"slices"
	"time"
)

// Comment is the state of a comment on a task, folded from its stream.
type Comment struct {
	ID        CommentID
	TaskID    TaskID
	ProjectID ProjectID
	Body      string
	AuthorID  UserID
	// Mentions are the members that the body has mentioned so far.
	Mentions  []UserID
	CreatedAt time.Time
	UpdatedAt time.Time
	Deleted   bool
	Version   int
}

// CommentCommand is one of CreateComment, EditComment and DeleteComment. Each
// carries the folded task and project, which the append guards.
type CommentCommand interface{ commentCommand() }

// CreateComment adds a comment to a task. Mentioned are the memberships of the users
// whose addresses Mentions finds in the body.
type CreateComment struct {
	ID        CommentID
	Task      Task
	Project   Project
	Body      string
	Mentioned []Membership
}

// EditComment changes a comment's body; Mentioned as in CreateComment.
type EditComment struct {
	IfMatch   IfMatch
	Task      Task
	Project   Project
	Body      Edit[string]
	Mentioned []Membership
}

// DeleteComment deletes a comment. Its events remain.
type DeleteComment struct {
	IfMatch IfMatch
	Task    Task
	Project Project
}

func (CreateComment) commentCommand() {}
func (EditComment) commentCommand()   {}
func (DeleteComment) commentCommand() {}

// DecideComment decides a command on a comment. Errors, in the order of the checks:
// CodeValidationFailed, CodeNotFound, CodeNotYours, CodeInsufficientRole,
// CodeVersionConflict, CodeProjectClosed.
func DecideComment(s Comment, by Actor, c CommentCommand) ([]Event, error) {
	switch c := c.(type) {
	case CreateComment:
		return s.create(by, c)
	case EditComment:
		return s.edit(by, c)
	case DeleteComment:
		return s.delete(by, c)
	}
	return nil, unknownCommand(c)
}

// Exists reports whether the comment, its task and its project exist: created and
// not deleted.
func (s Comment) Exists(t Task, p Project) bool {
	return s.Version > 0 && !s.Deleted && t.ID == s.TaskID && t.Exists(p)
}

func (s Comment) create(by Actor, c CreateComment) ([]Event, error) {
	if err := checkComment(c.Body); err != nil {
		return nil, err
	}
	if !c.Task.Exists(c.Project) {
		return nil, NotFound("task")
	}
	if err := Permit(CommentCreate, by.Role, false, ""); err != nil {
		return nil, err
	}
	if err := c.Project.writable(); err != nil {
		return nil, err
	}
	if s.Version > 0 {
		return nil, Refuse(CodeConcurrentUpdate, "a comment with this id exists")
	}
	return []Event{CommentCreated{
		CommentID: c.ID, TaskID: c.Task.ID, ProjectID: c.Project.ID, ProjectName: c.Project.Name, OwnerID: c.Project.OwnerID,
		Title: c.Task.Title, AssigneeID: c.Task.AssigneeID, Body: c.Body, Mentions: mentionedIDs(c.Mentioned, nil),
	}}, nil
}

func (s Comment) edit(by Actor, c EditComment) ([]Event, error) {
	if err := checkComment(c.Body.Or("-")); err != nil {
		return nil, err
	}
	if !s.Exists(c.Task, c.Project) {
		return nil, NotFound("comment")
	}
	if err := Permit(CommentEdit, by.Role, s.AuthorID == by.ID, ""); err != nil {
		return nil, err
	}
	if err := c.IfMatch.Check(s.Version); err != nil {
		return nil, err
	}
	if err := c.Project.writable(); err != nil {
		return nil, err
	}
	list := changed(nil, "body", s.Body, c.Body.Or(s.Body))
	if len(list) == 0 {
		return nil, nil
	}
	return []Event{CommentUpdated{
		CommentID: s.ID, TaskID: s.TaskID, ProjectID: s.ProjectID, ProjectName: c.Project.Name, OwnerID: c.Project.OwnerID,
		Title: c.Task.Title, AssigneeID: c.Task.AssigneeID, Mentions: mentionedIDs(c.Mentioned, s.Mentions), Changes: list,
	}}, nil
}

func (s Comment) delete(by Actor, c DeleteComment) ([]Event, error) {
	if !s.Exists(c.Task, c.Project) {
		return nil, NotFound("comment")
	}
	if err := Permit(CommentDelete, by.Role, s.AuthorID == by.ID, ""); err != nil {
		return nil, err
	}
	if err := c.IfMatch.Check(s.Version); err != nil {
		return nil, err
	}
	if err := c.Project.writable(); err != nil {
		return nil, err
	}
	return []Event{CommentDeleted{
		CommentID: s.ID, TaskID: s.TaskID, ProjectID: s.ProjectID, ProjectName: c.Project.Name, OwnerID: c.Project.OwnerID,
		Title: c.Task.Title,
	}}, nil
}

func checkComment(body string) error {
	var f findings
	f.text("/body", body, 1, MaxDescription)
	return f.err()
}

// mentionedIDs are the active members among the mentioned, without those mentioned
// before.
func mentionedIDs(members []Membership, before []UserID) []UserID {
	out := []UserID{}
	for _, m := range members {
		if m.Active && !slices.Contains(before, m.UserID) && !slices.Contains(out, m.UserID) {
			out = append(out, m.UserID)
		}
	}
	return out
}
