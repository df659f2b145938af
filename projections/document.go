package projections

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"docket/domain"

	"github.com/jackc/pgx/v5/pgtype"
)

// A document is what is searched of a project or task: a tsvector, made here and
// not by to_tsvector, so that
//
//   - every lexeme begins with its scope: in an index over all tenants a tenant's
//     words stand beside each other, and how common a word is in other tenants
//     costs nothing;
//   - the same events make the same rows on every server: the default parser goes
//     by the database's locale, and reads TASK-123 as a word and a negative number;
//   - labels and the project are lexemes too, and so conditions of the same index.
//
// Lexemes are (scope, then):
//
//	        nothing: every document has it
//	word    of a title (weight A), description (B) or label (C), with positions
//	#label  exactly as it is written
//	@id     the task's project
type scope string

// searchKind tells the documents of projects from those of tasks.
type searchKind string

const (
	searchProjects searchKind = "p"
	searchTasks    searchKind = "t"
)

// scopeOf is four characters of the tenant and one of the kind. Two tenants that
// share them see their own rows all the same, only somewhat slower.
func scopeOf(t domain.TenantID, kind searchKind) scope {
	id := t.UUID()
	return scope(base64.RawURLEncoding.EncodeToString(id[13:])) + scope(kind)
}

// What lexemes that are no words begin with, after the scope.
const (
	labelSign   = "#"
	projectSign = "@"
)

func (s scope) any() string                        { return string(s) }
func (s scope) word(w string) string               { return string(s) + w }
func (s scope) label(l string) string              { return string(s) + labelSign + l }
func (s scope) project(id domain.ProjectID) string { return string(s) + projectSign + id.String() }

// section is a part of a document. Each has its own stretch of positions, so that
// no phrase reaches from one into the next, and its own share of the 256 positions
// that a lexeme can have.
type section struct {
	weight pgtype.TSVectorWeight
	// Its positions are above base, and at most end.
	base, end int
	// most is how many positions of it a lexeme keeps.
	most int
}

// A text of domain.MaxDescription characters has hardly more words than that (some
// characters stand for several), and Postgres ends positions at 16,383.
var (
	titleSection       = section{pgtype.TSVectorWeightA, 0, 1_000, 80}
	descriptionSection = section{pgtype.TSVectorWeightB, 1_000, 6_000, 120}
	labelSection       = section{pgtype.TSVectorWeightC, 6_000, 8_000, 40}
)

// labelStretch is more than the words of a label.
const labelStretch = domain.MaxLabel + 1

// lexemes are a document while it is changed.
type lexemes struct {
	scope scope
	// list is in the order in which they were put here; of a lexeme that comes more
	// than once, that decides which of its positions are kept.
	list []lexeme
}

// lexeme is one, without its scope, at one position; those that are no words have
// the zero position.
type lexeme struct {
	text string
	at   pgtype.TSVectorPosition
	// most is that of the section.
	most int
}

// newDocument has but the lexeme that every document has.
func newDocument(s scope) *lexemes {
	return &lexemes{scope: s, list: append(make([]lexeme, 0, 32), lexeme{})}
}

func readDocument(s scope, v pgtype.TSVector) *lexemes {
	l := &lexemes{scope: s, list: make([]lexeme, 0, 2*len(v.Lexemes))}
	for _, x := range v.Lexemes {
		text := strings.TrimPrefix(x.Word, string(s))
		if len(x.Positions) == 0 {
			l.list = append(l.list, lexeme{text: text})
		}
		for _, at := range x.Positions {
			l.list = append(l.list, lexeme{text: text, at: at, most: len(x.Positions)})
		}
	}
	return l
}

// write is the document in the order in which Postgres keeps it. Positions ascend,
// and none stands twice: Postgres refuses a document where it isn't so.
func (l *lexemes) write() pgtype.TSVector {
	slices.SortStableFunc(l.list, func(a, b lexeme) int { return strings.Compare(a.text, b.text) })
	size := 0
	for _, x := range l.list {
		size += len(l.scope) + len(x.text)
	}
	var (
		words     strings.Builder // all of them in one, and so with the positions
		positions = make([]pgtype.TSVectorPosition, 0, len(l.list))
		v         = pgtype.TSVector{Valid: true, Lexemes: make([]pgtype.TSVectorLexeme, 0, len(l.list))}
	)
	words.Grow(size)
	for i := 0; i < len(l.list); {
		text, from, begin := l.list[i].text, words.Len(), len(positions)
		for ; i < len(l.list) && l.list[i].text == text; i++ {
			positions = l.list[i].place(positions, begin)
		}
		words.WriteString(string(l.scope))
		words.WriteString(text)
		x := pgtype.TSVectorLexeme{Word: words.String()[from:]}
		if len(positions) > begin {
			x.Positions = positions[begin:len(positions):len(positions)]
		}
		v.Lexemes = append(v.Lexemes, x)
	}
	return v
}

// place puts the position among those of the same text, which begin at a place in the
// list, unless it is there or there are too many.
func (x lexeme) place(all []pgtype.TSVectorPosition, begin int) []pgtype.TSVectorPosition {
	if x.at.Position == 0 {
		return all
	}
	mine := 0
	for _, other := range all[begin:] {
		if other.Weight == x.at.Weight {
			mine++
		}
	}
	at, there := slices.BinarySearchFunc(all[begin:], x.at, func(a, b pgtype.TSVectorPosition) int { return cmp.Compare(a.Position, b.Position) })
	if there || mine >= x.most {
		return all
	}
	return slices.Insert(all, begin+at, x.at)
}

// text puts a text in the place of what a section held.
func (l *lexemes) text(sec section, text string) {
	l.clear(sec)
	l.add(sec, 0, text)
}

// project puts the task's project there.
func (l *lexemes) project(id domain.ProjectID) {
	l.list = append(l.list, lexeme{text: projectSign + id.String()})
}

// labels puts labels in the place of those there were.
func (l *lexemes) labels(labels []string) {
	l.clear(labelSection)
	l.list = slices.DeleteFunc(l.list, func(x lexeme) bool { return strings.HasPrefix(x.text, labelSign) })
	for i, label := range labels {
		l.list = append(l.list, lexeme{text: labelSign + label})
		l.add(labelSection, i*labelStretch, label)
	}
}

func (l *lexemes) clear(sec section) {
	l.list = slices.DeleteFunc(l.list, func(x lexeme) bool { return x.at.Weight == sec.weight })
}

// add adds the words of a text from an offset in the section on.
func (l *lexemes) add(sec section, offset int, text string) {
	for i, w := range words(text) {
		at := sec.base + offset + i + 1
		if at > sec.end {
			return
		}
		l.list = append(l.list, lexeme{text: w, at: pgtype.TSVectorPosition{Position: uint16(at), Weight: sec.weight}, most: sec.most})
	}
}

// quotedLexeme is a lexeme in a tsquery.
func quotedLexeme(lexeme string) string {
	return "'" + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(lexeme) + "'"
}
