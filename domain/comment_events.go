package domain

import "slices"

// CommentCreated is the first event of a comment's stream. Title and AssigneeID are the task's,
// ProjectName and OwnerID the project's.
type CommentCreated struct {
	CommentID   CommentID `json:"comment_id"`
	TaskID      TaskID    `json:"task_id"`
	ProjectID   ProjectID `json:"project_id"`
	ProjectName string    `json:"project_name"`
	OwnerID     UserID    `json:"owner_id"`
	Title       string    `json:"title"`
	AssigneeID  *UserID   `json:"assignee_id"`
	Body        string    `json:"body"`
	// Mentions are the members that the body mentions.
	Mentions []UserID `json:"mentions"`
}

// CommentUpdated says what changed; Mentions are the members that the body newly
// mentions.
type CommentUpdated struct {
	CommentID   CommentID `json:"comment_id"`
	TaskID      TaskID    `json:"task_id"`
	ProjectID   ProjectID `json:"project_id"`
	ProjectName string    `json:"project_name"`
	OwnerID     UserID    `json:"owner_id"`
	Title       string    `json:"title"`
	AssigneeID  *UserID   `json:"assignee_id"`
	Mentions    []UserID  `json:"mentions"`
	Changes     []Change  `json:"changes"`
}

// CommentDeleted says that a comment was deleted.
type CommentDeleted struct {
	CommentID   CommentID `json:"comment_id"`
	TaskID      TaskID    `json:"task_id"`
	ProjectID   ProjectID `json:"project_id"`
	ProjectName string    `json:"project_name"`
	OwnerID     UserID    `json:"owner_id"`
	Title       string    `json:"title"`
}

// EventType is the stored name.
func (CommentCreated) EventType() string { return "comment.created" }

// EventType is the stored name.
func (CommentUpdated) EventType() string { return "comment.updated" }

// EventType is the stored name.
func (CommentDeleted) EventType() string { return "comment.deleted" }

// commentFields are the fields that CommentUpdated may change.
var commentFields = fields[Comment]{
	"body": field(func(c *Comment) *string { return &c.Body }),
}

// CommentFields are the names of the fields that CommentUpdated may change, sorted.
func CommentFields() []string { return commentFields.names() }

// Evolve folds one event of the comment's stream.
func (s Comment) Evolve(r Recorded) (Comment, error) {
	next := s
	switch e := r.Event.(type) {
	case CommentCreated:
		next = Comment{
			ID: e.CommentID, TaskID: e.TaskID, ProjectID: e.ProjectID, Body: e.Body, AuthorID: r.Actor,
			Mentions: e.Mentions, CreatedAt: r.At,
		}
	case CommentUpdated:
		var err error
		if next, err = commentFields.apply(s, e.Changes); err != nil {
			return s, err
		}
		next.Mentions = append(slices.Clone(s.Mentions), e.Mentions...)
	case CommentDeleted:
		next.Deleted = true
	default:
		return s, unknownTo("comment", r.Event)
	}
	next.UpdatedAt, next.Version = r.At, r.Version
	return next, nil
}
