package fulltext

import (
	"encoding/base64"
	"strings"

	"docket/domain"
)

// Scope is what every lexeme of a document begins with: the tenant and the kind of
// thing. In an index over all tenants the words of one tenant are neighbours, and how
// common a word is in other tenants costs nothing.
//
// A lexeme is a scope and one of:
//
//	        nothing: every document of a project or task has it, none of a comment
//	word    of a title (weight A), description (B), label (C) or comment (D), with positions
//	#label  exactly as it is written
//	#       a comment
//	@id     the task's project
//
// Labels and the project are lexemes so that the index answers these conditions too.
type Scope string

// Kind separates the documents of projects from those of tasks.
type Kind string

// The kinds of documents. Those of comments are among those of tasks.
const (
	Projects Kind = "p"
	Tasks    Kind = "t"
)

// Prefixes of the lexemes that are no words, after the scope.
const (
	labelSign   = "#"
	projectSign = "@"
)

// ScopeOf is the scope of a tenant's documents of a kind: four characters of the
// tenant and one of the kind. Two tenants that share them still see only their own
// rows; their searches are slower.
func ScopeOf(t domain.TenantID, kind Kind) Scope {
	id := t.UUID()
	return Scope(base64.RawURLEncoding.EncodeToString(id[13:])) + Scope(kind)
}

// Label is the lexeme of a label.
func (s Scope) Label(label string) string { return string(s) + labelSign + label }

// Project is the lexeme of a task's project.
func (s Scope) Project(id domain.ProjectID) string { return string(s) + projectSign + id.String() }

// Labels is the tsquery that matches documents with one of some labels, of which there is one
// at least.
func (s Scope) Labels(labels []string) string {
	var list []string
	for _, l := range labels {
		list = append(list, quote(s.Label(l)))
	}
	return strings.Join(list, " | ")
}

// LabelsOrComment is Labels that lets the documents of comments pass, which have no labels.
func (s Scope) LabelsOrComment(labels []string) string {
	return s.Labels(labels) + " | " + quote(s.comment())
}

// comment is the lexeme of all comments. No label is empty.
func (s Scope) comment() string { return string(s) + labelSign }

// Projects is Labels for the projects of tasks and comments.
func (s Scope) Projects(ids []domain.ProjectID) string {
	var list []string
	for _, id := range ids {
		list = append(list, quote(s.Project(id)))
	}
	return strings.Join(list, " | ")
}

// All is the tsquery that matches every document of the scope but those of comments.
func (s Scope) All() string { return quote(string(s)) }

func (s Scope) word(w string) string { return string(s) + w }

// quote writes a lexeme for a tsquery.
func quote(lexeme string) string {
	return "'" + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(lexeme) + "'"
}
