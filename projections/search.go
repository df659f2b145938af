package projections

import (
	"encoding/json"
	"fmt"
	"slices"

	"docket/domain"
	"docket/projections/fulltext"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// searched is what is searched of a project or task, or of a comment on a task.
type searched struct {
	ID       uuid.UUID
	Document pgtype.TSVector
	// TaskID is the task of a comment; nil for what is none.
	TaskID *domain.TaskID
}

// search is the read model of the documents of projects, tasks and comments that weren't
// deleted. An event that changes no words, such as a new status, touches no document.
// Documents of a deleted project's tasks, and of a deleted task's comments, stay; the
// queries leave them out.
var search = define(model[uuid.UUID, searched]{
	Name: "search", FoldVersion: 3, Table: "search",
	Keys: streamKeys([]string{
		"project.created", "project.updated", "project.deleted",
		"task.created", "task.updated", "task.deleted",
		"comment.created", "comment.updated", "comment.deleted",
	}),
	Creates: []string{"project.created", "task.created", "comment.created", "comment.updated"},
	Touches: touchesWords,
	Ignores: slices.Concat(tenantEvents, userEvents, memberEvents, apiKeyEvents, subscriptionEvents, []string{"project.status_changed"}),
	Fold:    foldSearch,
	Key:     "id", KeyOf: func(s *searched) uuid.UUID { return s.ID },
	Columns: []column[searched]{
		plain("id", "uuid", func(s *searched) *uuid.UUID { return &s.ID }),
		plain("document", "tsvector", func(s *searched) *pgtype.TSVector { return &s.Document }),
		optionalID("task_id", func(s *searched) **domain.TaskID { return &s.TaskID }),
	},
})

// touchesWords reports whether an event changes a document.
func touchesWords(e domain.Recorded) bool {
	of := func(list []domain.Change, fields ...string) bool {
		return slices.ContainsFunc(list, func(c domain.Change) bool { return slices.Contains(fields, c.Field) })
	}
	switch e := e.Event.(type) {
	case domain.ProjectUpdated:
		return of(e.Changes, "name", "description")
	case domain.TaskUpdated:
		return of(e.Changes, "title", "description", "labels")
	case domain.CommentUpdated:
		return of(e.Changes, "body")
	}
	return true
}

func foldSearch(row *searched, r domain.Recorded) (*searched, error) {
	id := r.Stream.ID
	switch e := r.Event.(type) {
	case domain.ProjectCreated:
		d := fulltext.NewDocument(fulltext.ScopeOf(r.Tenant, fulltext.Projects))
		d.SetTitle(e.Name)
		d.SetDescription(orEmpty(e.Description))
		return &searched{ID: id, Document: d.TSVector()}, nil
	case domain.TaskCreated:
		d := fulltext.NewDocument(fulltext.ScopeOf(r.Tenant, fulltext.Tasks))
		d.SetProject(e.ProjectID)
		d.SetTitle(e.Title)
		d.SetDescription(orEmpty(e.Description))
		d.SetLabels(e.Labels)
		return &searched{ID: id, Document: d.TSVector()}, nil
	case domain.ProjectUpdated:
		return changeDocument(row, fulltext.ScopeOf(r.Tenant, fulltext.Projects), e.Changes)
	case domain.TaskUpdated:
		return changeDocument(row, fulltext.ScopeOf(r.Tenant, fulltext.Tasks), e.Changes)
	case domain.CommentCreated:
		return commentDocument(r, e.TaskID, e.ProjectID, e.Body), nil
	case domain.CommentUpdated:
		body, err := newBody(e.Changes)
		if err != nil {
			return nil, err
		}
		return commentDocument(r, e.TaskID, e.ProjectID, body), nil
	case domain.ProjectDeleted, domain.TaskDeleted, domain.CommentDeleted:
		return nil, nil
	}
	return nil, fmt.Errorf("%w: search has no document for %T", domain.ErrUnknownEvent, r.Event)
}

// changeDocument applies the changes of a project's or task's words to its row. For a
// row that never existed it returns one without an id, which the caller refuses.
func changeDocument(row *searched, s fulltext.Scope, changes []domain.Change) (*searched, error) {
	if row == nil {
		return &searched{}, nil
	}
	d := fulltext.ReadDocument(s, row.Document)
	for _, c := range changes {
		var (
			text   *string
			labels []string
			err    error
		)
		switch c.Field {
		case "name", "title":
			if err = json.Unmarshal(c.To, &text); err == nil {
				d.SetTitle(orEmpty(text))
			}
		case "description":
			if err = json.Unmarshal(c.To, &text); err == nil {
				d.SetDescription(orEmpty(text))
			}
		case "labels":
			if err = json.Unmarshal(c.To, &labels); err == nil {
				d.SetLabels(labels)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("change of field %q: %w", c.Field, err)
		}
	}
	return &searched{ID: row.ID, Document: d.TSVector()}, nil
}

// commentDocument is the row of a comment. It needs nothing of the one before: a comment is
// one text.
func commentDocument(r domain.Recorded, task domain.TaskID, project domain.ProjectID, body string) *searched {
	d := fulltext.NewComment(fulltext.ScopeOf(r.Tenant, fulltext.Tasks), project, body)
	return &searched{ID: r.Stream.ID, Document: d.TSVector(), TaskID: &task}
}

// newBody is what a comment's text was changed to.
func newBody(changes []domain.Change) (body string, err error) {
	for _, c := range changes {
		if c.Field != "body" {
			continue
		}
		if err := json.Unmarshal(c.To, &body); err != nil {
			return "", fmt.Errorf("change of field %q: %w", c.Field, err)
		}
	}
	return body, nil
}

// Searchable reports whether a search has a word to look for. One that has none finds
// nothing.
func Searchable(q string) bool { return !fulltext.Parse(q).Empty() }

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
