package projections

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"docket/domain"
	"docket/projections/fulltext"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// searched is what is searched of a project or task.
type searched struct {
	ID       uuid.UUID
	Document pgtype.TSVector
	// Comments are those of a task whose words are in the document: the newest, of
	// fulltext.MaxComments characters together. Their texts stand here, as a document
	// doesn't say which of its words are whose.
	Comments []searchedComment
	// Stale says that Document has the words of other comments. No stored row is stale.
	Stale bool
}

// searchedComment is a comment whose words are searched.
type searchedComment struct {
	ID   domain.CommentID `json:"id"`
	Body string           `json:"body"`
}

// search is the read model of the documents of projects and tasks that weren't
// deleted. An event that changes no words, such as a new status, touches no document;
// one of a comment touches the document of its task. Documents of a deleted project's
// tasks stay; the queries leave them out.
var search = define(model[uuid.UUID, searched]{
	Name: "search", FoldVersion: 3, Table: "search",
	Keys:    searchKeys(),
	Creates: []string{"project.created", "task.created"},
	Touches: touchesWords,
	Ignores: slices.Concat(tenantEvents, userEvents, memberEvents, subscriptionEvents, []string{"project.status_changed"}),
	Fold:    foldSearch,
	Finish:  finishSearch,
	Key:     "id", KeyOf: func(s *searched) uuid.UUID { return s.ID },
	Columns: []column[searched]{
		plain("id", "uuid", func(s *searched) *uuid.UUID { return &s.ID }),
		plain("document", "tsvector", func(s *searched) *pgtype.TSVector { return &s.Document }),
		document("comments", func(s *searched) *[]searchedComment { return &s.Comments }),
	},
})

// searchKeys are the streams of projects and tasks, and the task of a comment.
func searchKeys() map[string]func(domain.Recorded) uuid.UUID {
	keys := streamKeys([]string{
		"project.created", "project.updated", "project.deleted",
		"task.created", "task.updated", "task.deleted",
	})
	for _, t := range commentEvents {
		keys[t] = taskOfComment
	}
	return keys
}

func taskOfComment(e domain.Recorded) uuid.UUID {
	switch e := e.Event.(type) {
	case domain.CommentCreated:
		return e.TaskID.UUID()
	case domain.CommentUpdated:
		return e.TaskID.UUID()
	case domain.CommentDeleted:
		return e.TaskID.UUID()
	}
	return uuid.Nil
}

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
	case domain.ProjectDeleted, domain.TaskDeleted:
		return nil, nil
	case domain.CommentCreated:
		return changeComment(row, e.CommentID, e.Body), nil
	case domain.CommentUpdated:
		for _, c := range e.Changes {
			if c.Field != "body" {
				continue
			}
			var body string
			if err := json.Unmarshal(c.To, &body); err != nil {
				return nil, fmt.Errorf("change of field %q: %w", c.Field, err)
			}
			row = changeComment(row, e.CommentID, body)
		}
		return row, nil
	case domain.CommentDeleted:
		return changeComment(row, e.CommentID, ""), nil
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
	return &searched{ID: row.ID, Document: d.TSVector(), Comments: row.Comments, Stale: row.Stale}, nil
}

// changeComment replaces the text of a comment by another, which makes it the newest,
// or, if that is empty, by nothing. The oldest leave where together they are too long.
// Where the task was deleted there is no row, and none is made.
func changeComment(row *searched, id domain.CommentID, body string) *searched {
	if row == nil {
		return nil
	}
	next := &searched{ID: row.ID, Document: row.Document, Stale: true}
	room := fulltext.MaxComments
	if body != "" {
		room -= utf8.RuneCountInString(body)
		next.Comments = append(next.Comments, searchedComment{id, body})
	}
	for _, c := range slices.Backward(row.Comments) {
		if c.ID == id {
			continue
		}
		if room -= utf8.RuneCountInString(c.Body); room < 0 {
			break
		}
		next.Comments = append(next.Comments, c)
	}
	slices.Reverse(next.Comments)
	return next
}

// finishSearch brings the document up to date with the comments: once for all that came
// in one page.
func finishSearch(row searched, t domain.TenantID) searched {
	if !row.Stale {
		return row
	}
	d := fulltext.ReadDocument(fulltext.ScopeOf(t, fulltext.Tasks), row.Document)
	texts := make([]string, len(row.Comments))
	for i, c := range row.Comments {
		texts[i] = c.Body
	}
	d.SetComments(texts)
	return searched{ID: row.ID, Document: d.TSVector(), Comments: row.Comments}
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
