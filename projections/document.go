package projections

import (
	"cmp"
	"encoding/base64"
	"maps"
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

func (s scope) any() string                        { return string(s) }
func (s scope) word(w string) string               { return string(s) + w }
func (s scope) label(l string) string              { return string(s) + "#" + l }
func (s scope) project(id domain.ProjectID) string { return string(s) + "@" + id.String() }
func (s scope) isLabel(lexeme string) bool         { return strings.HasPrefix(lexeme, string(s)+"#") }

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

// lexemes are a document while it is changed: each lexeme with its positions.
type lexemes map[string][]pgtype.TSVectorPosition

func readDocument(v pgtype.TSVector) lexemes {
	l := make(lexemes, len(v.Lexemes))
	for _, x := range v.Lexemes {
		l[x.Word] = x.Positions
	}
	return l
}

// write is the document in the order in which Postgres keeps it.
func (l lexemes) write() pgtype.TSVector {
	v := pgtype.TSVector{Valid: true, Lexemes: make([]pgtype.TSVectorLexeme, 0, len(l))}
	for _, word := range slices.Sorted(maps.Keys(l)) {
		v.Lexemes = append(v.Lexemes, pgtype.TSVectorLexeme{Word: word, Positions: l[word]})
	}
	return v
}

// text puts a text in the place of what a section held.
func (l lexemes) text(s scope, sec section, text string) {
	l.clear(sec)
	l.add(s, sec, 0, text)
}

// labels puts labels in the place of those there were.
func (l lexemes) labels(s scope, labels []string) {
	l.clear(labelSection)
	maps.DeleteFunc(l, func(lexeme string, _ []pgtype.TSVectorPosition) bool { return s.isLabel(lexeme) })
	for i, label := range labels {
		l[s.label(label)] = nil
		l.add(s, labelSection, i*labelStretch, label)
	}
}

func (l lexemes) clear(sec section) {
	for lexeme, all := range l {
		rest := slices.DeleteFunc(slices.Clone(all), func(p pgtype.TSVectorPosition) bool { return p.Weight == sec.weight })
		switch {
		case len(rest) == len(all):
		case len(rest) == 0:
			delete(l, lexeme)
		default:
			l[lexeme] = rest
		}
	}
}

// add adds the words of a text from an offset in the section on. Positions ascend,
// and none stands twice: Postgres refuses a document where it isn't so.
func (l lexemes) add(s scope, sec section, offset int, text string) {
	for i, w := range words(text) {
		p := pgtype.TSVectorPosition{Position: uint16(sec.base + offset + i + 1), Weight: sec.weight}
		if int(p.Position) > sec.end {
			return
		}
		lexeme := s.word(w)
		mine := 0
		for _, other := range l[lexeme] {
			if other.Weight == sec.weight {
				mine++
			}
		}
		at, there := slices.BinarySearchFunc(l[lexeme], p, func(a, b pgtype.TSVectorPosition) int { return cmp.Compare(a.Position, b.Position) })
		if there || mine >= sec.most {
			continue
		}
		// A clone: rows share what they were read from.
		l[lexeme] = slices.Insert(slices.Clone(l[lexeme]), at, p)
	}
}

// quotedLexeme is a lexeme in a tsquery.
func quotedLexeme(lexeme string) string {
	return "'" + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(lexeme) + "'"
}
