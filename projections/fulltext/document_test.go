package fulltext

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	"docket/domain"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"
)

// plainDocument is a document by the simplest algorithm: each lexeme with its positions.
type plainDocument map[string][]pgtype.TSVectorPosition

func (d plainDocument) add(s Scope, sec section, offset int, text string) {
	for _, w := range words(text) {
		for _, place := range slices.Compact([]int{w.from, w.to}) {
			p := pgtype.TSVectorPosition{Position: uint16(sec.base + offset + place + 1), Weight: sec.weight}
			if int(p.Position) > sec.end {
				continue
			}
			all, mine := d[s.word(w.text)], 0
			for _, other := range all {
				if other.Weight == sec.weight {
					mine++
				}
			}
			if mine < sec.most && !slices.Contains(all, p) {
				d[s.word(w.text)] = slices.SortedFunc(slices.Values(append(slices.Clone(all), p)),
					func(a, b pgtype.TSVectorPosition) int { return cmp.Compare(a.Position, b.Position) })
			}
		}
	}
}

func (d plainDocument) stored() pgtype.TSVector {
	v := pgtype.TSVector{Valid: true}
	for _, word := range slices.Sorted(maps.Keys(d)) {
		x := pgtype.TSVectorLexeme{Word: word}
		if len(d[word]) > 0 {
			x.Positions = d[word]
		}
		v.Lexemes = append(v.Lexemes, x)
	}
	return v
}

func (d plainDocument) clear(sec section) {
	for lexeme, all := range d {
		rest := slices.DeleteFunc(slices.Clone(all), func(p pgtype.TSVectorPosition) bool { return p.Weight == sec.weight })
		if d[lexeme] = rest; len(rest) == 0 && len(all) > 0 {
			delete(d, lexeme)
		}
	}
}

func (d plainDocument) labels(s Scope, labels []string) {
	d.clear(labelSection)
	maps.DeleteFunc(d, func(lexeme string, _ []pgtype.TSVectorPosition) bool { return strings.HasPrefix(lexeme, s.Label("")) })
	for i, label := range labels {
		d[s.Label(label)] = nil
		d.add(s, labelSection, i*labelRange, label)
	}
}

// Any changes in any order give the document that the simplest algorithm gives.
func TestDocumentsEqualThePlainOnes(t *testing.T) {
	t.Parallel()
	some := rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.SampledFrom([]rune("aabcé東ﷺ #@ \tAB12.-+_'"))),
		rapid.StringOfN(rapid.SampledFrom([]rune("ab ")), 500, 3_000, -1), // more positions of a word than are kept
		rapid.StringOfN(rapid.SampledFrom([]rune("ﷺ東 ")), 40, 50, -1),     // more words than characters
	)
	rapid.Check(t, func(t *rapid.T) {
		in := ScopeOf(domain.TenantID(uuid.New()), Tasks)
		project := domain.ProjectID(uuid.New())
		got, plain := NewDocument(in), plainDocument{string(in): nil, in.Project(project): nil}
		got.SetProject(project)
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			switch kind := rapid.SampledFrom([]section{titleSection, descriptionSection, labelSection}).Draw(t, "section"); kind {
			case labelSection:
				labels := rapid.SliceOfN(some, 0, 5).Draw(t, "labels")
				got.SetLabels(labels)
				plain.labels(in, labels)
			default:
				text := some.Draw(t, "text")
				got.setText(kind, text)
				plain.clear(kind)
				plain.add(in, kind, 0, text)
			}
			document := got.TSVector()
			if d := gocmp.Diff(plain.stored(), document); d != "" {
				t.Fatalf("-plain +got:\n%s", d)
			}
			if rapid.Bool().Draw(t, "stored and read") {
				got = ReadDocument(in, document)
			}
		}
		body := some.Draw(t, "comment")
		comment := plainDocument{in.Project(project): nil, in.comment(): nil}
		comment.add(in, commentSection, 0, body)
		if d := gocmp.Diff(comment.stored(), NewComment(in, project, body).TSVector()); d != "" {
			t.Fatalf("comment: -plain +got:\n%s", d)
		}
	})
}
