package fulltext

import (
	"cmp"
	"slices"
	"strings"

	"docket/domain"

	"github.com/jackc/pgx/v5/pgtype"
)

// section is a part of a document. It has its own range of positions, so that no
// phrase reaches from one section into the next, and its own share of the 256
// positions that a lexeme can have.
type section struct {
	weight pgtype.TSVectorWeight
	// Positions are above base, and at most end.
	base, end int
	// most is how many positions of the section a lexeme keeps.
	most int
}

// A text of domain.MaxDescription characters has hardly more words than the range of
// its section (some characters stand for several), and Postgres ends positions at 16,383.
var (
	titleSection       = section{pgtype.TSVectorWeightA, 0, 1_000, 80}
	descriptionSection = section{pgtype.TSVectorWeightB, 1_000, 6_000, 120}
	labelSection       = section{pgtype.TSVectorWeightC, 6_000, 8_000, 40}
	// A comment has a document of its own.
	commentSection = section{pgtype.TSVectorWeightD, 0, 5_000, 120}
)

// labelRange is how many positions a label has: more than it has words.
const labelRange = domain.MaxLabel + 1

// Document is what is searched of a project, a task or a comment. TSVector is its stored form,
// made here and not by to_tsvector: the default parser depends on the database's
// locale and reads TASK-123 as a word and a negative number.
type Document struct {
	scope Scope
	// list is in the order of insertion. For a lexeme that occurs more than once the
	// order decides which of its positions are kept.
	list []lexeme
}

// lexeme is one occurrence of a lexeme, without its scope. Lexemes that are no words
// have the zero position.
type lexeme struct {
	text string
	at   pgtype.TSVectorPosition
	// most is that of the section.
	most int
}

// NewDocument makes a document that has only the lexeme of its scope.
func NewDocument(s Scope) *Document {
	return &Document{scope: s, list: append(make([]lexeme, 0, 32), lexeme{})}
}

// NewComment makes the document of a comment on a task of a project. It has the scope of
// tasks, so that one query finds a task by either, but not the lexeme of the scope itself.
func NewComment(s Scope, project domain.ProjectID, body string) *Document {
	d := &Document{scope: s, list: make([]lexeme, 0, 32)}
	d.SetProject(project)
	d.list = append(d.list, lexeme{text: labelSign})
	d.add(commentSection, 0, body)
	return d
}

// ReadDocument reads the stored form of a document.
func ReadDocument(s Scope, v pgtype.TSVector) *Document {
	d := &Document{scope: s, list: make([]lexeme, 0, 2*len(v.Lexemes))}
	for _, x := range v.Lexemes {
		text := strings.TrimPrefix(x.Word, string(s))
		if len(x.Positions) == 0 {
			d.list = append(d.list, lexeme{text: text})
		}
		for _, at := range x.Positions {
			d.list = append(d.list, lexeme{text: text, at: at, most: len(x.Positions)})
		}
	}
	return d
}

// TSVector is the document's stored form, in the order in which Postgres keeps it.
// Positions ascend without duplicates; Postgres refuses any other document.
func (d *Document) TSVector() pgtype.TSVector {
	slices.SortStableFunc(d.list, func(a, b lexeme) int { return strings.Compare(a.text, b.text) })
	size := 0
	for _, x := range d.list {
		size += len(d.scope) + len(x.text)
	}
	var (
		words     strings.Builder // one buffer for all words, one slice for all positions
		positions = make([]pgtype.TSVectorPosition, 0, len(d.list))
		v         = pgtype.TSVector{Valid: true, Lexemes: make([]pgtype.TSVectorLexeme, 0, len(d.list))}
	)
	words.Grow(size)
	for i := 0; i < len(d.list); {
		text, from, begin := d.list[i].text, words.Len(), len(positions)
		for ; i < len(d.list) && d.list[i].text == text; i++ {
			positions = d.list[i].insert(positions, begin)
		}
		words.WriteString(string(d.scope))
		words.WriteString(text)
		x := pgtype.TSVectorLexeme{Word: words.String()[from:]}
		if len(positions) > begin {
			x.Positions = positions[begin:len(positions):len(positions)]
		}
		v.Lexemes = append(v.Lexemes, x)
	}
	return v
}

// insert adds the occurrence's position to those of the same text, which are
// all[begin:], unless it is a duplicate or the section's share is used up.
func (x lexeme) insert(all []pgtype.TSVectorPosition, begin int) []pgtype.TSVectorPosition {
	if x.at.Position == 0 {
		return all
	}
	same := 0
	for _, other := range all[begin:] {
		if other.Weight == x.at.Weight {
			same++
		}
	}
	at, found := slices.BinarySearchFunc(all[begin:], x.at, func(a, b pgtype.TSVectorPosition) int { return cmp.Compare(a.Position, b.Position) })
	if found || same >= x.most {
		return all
	}
	return slices.Insert(all, begin+at, x.at)
}

// SetTitle replaces the words of the title.
func (d *Document) SetTitle(text string) { d.setText(titleSection, text) }

// SetDescription replaces the words of the description.
func (d *Document) SetDescription(text string) { d.setText(descriptionSection, text) }

func (d *Document) setText(sec section, text string) {
	d.clear(sec)
	d.add(sec, 0, text)
}

// SetProject adds the lexeme of a task's project. A document has one project.
func (d *Document) SetProject(id domain.ProjectID) {
	d.list = append(d.list, lexeme{text: projectSign + id.String()})
}

// SetLabels replaces the labels and their words.
func (d *Document) SetLabels(labels []string) {
	d.clear(labelSection)
	d.list = slices.DeleteFunc(d.list, func(x lexeme) bool { return strings.HasPrefix(x.text, labelSign) })
	for i, label := range labels {
		d.list = append(d.list, lexeme{text: labelSign + label})
		d.add(labelSection, i*labelRange, label)
	}
}

func (d *Document) clear(sec section) {
	d.list = slices.DeleteFunc(d.list, func(x lexeme) bool { return x.at.Position != 0 && x.at.Weight == sec.weight })
}

// add adds the words of a text, from an offset in the section on. What stands for several words has the places of the first and the
// last, so that it can be part of a phrase on either side.
func (d *Document) add(sec section, offset int, text string) {
	insert := func(text string, place int) {
		if at := sec.base + offset + place + 1; at <= sec.end {
			d.list = append(d.list, lexeme{text: text, at: pgtype.TSVectorPosition{Position: uint16(at), Weight: sec.weight}, most: sec.most})
		}
	}
	for _, w := range words(text) {
		insert(w.text, w.from)
		if w.to != w.from {
			insert(w.text, w.to)
		}
	}
}
