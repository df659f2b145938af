package projections

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// webQuery is a search as people type it, the way of websearch_to_tsquery:
//
//	two words       both
//	"two words"     one after the other
//	this or that    either
//	-word           not this one
//
// The last word, where it is bare and nothing follows it, stands for all that
// begin with it; a * at its end, which elsewhere asks for that, changes nothing.
// An or after which nothing follows is left out: another word may still be typed.
// Any text is a search; one without words finds nothing.
type webQuery struct {
	// any are the alternatives, each of terms that must all hold.
	any [][]term
}

// term is words that stand one after the other.
type term struct {
	words  []string
	not    bool
	prefix bool // the last word is the beginning of one
}

// parseWebQuery reads a search.
func parseWebQuery(q string) webQuery {
	var (
		w       webQuery
		all     []term
		pending bool // an "or" stands before the next term
	)
	add := func(t term) {
		if len(t.words) == 0 {
			return
		}
		if pending {
			w.any, all, pending = append(w.any, all), nil, false
		}
		all = append(all, t)
	}
	for rest := strings.TrimLeftFunc(q, unicode.IsSpace); rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		var t term
		if t.not = rest[0] == '-'; t.not {
			rest = rest[1:]
		}
		if strings.HasPrefix(rest, `"`) {
			phrase, after, _ := strings.Cut(rest[1:], `"`)
			t.words, rest = words(phrase), after
			add(t)
			continue
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
		last := end < 0
		if last {
			end = len(rest)
		}
		bare := rest[:end]
		rest = rest[end:]
		if strings.EqualFold(bare, "or") && !t.not && len(all) > 0 {
			pending = true
			continue
		}
		t.words = words(bare)
		t.prefix = last && !t.not && endsInWord(strings.TrimRight(bare, "*"))
		add(t)
	}
	if len(all) > 0 {
		w.any = append(w.any, all)
	}
	return w
}

// endsInWord reports whether the text's last character belongs to a word.
func endsInWord(text string) bool {
	r, _ := utf8.DecodeLastRuneInString(text)
	return unicode.In(r, unicode.L, unicode.N, unicode.M)
}

// empty reports whether there is no word in it.
func (w webQuery) empty() bool { return len(w.any) == 0 }

// tsquery is the search as Postgres takes it, among the documents of a scope.
func (w webQuery) tsquery(s scope) string {
	var either []string
	for _, all := range w.any {
		either = append(either, join(s, all))
	}
	return strings.Join(either, " | ")
}

func join(s scope, all []term) string {
	var each []string
	for _, t := range all {
		each = append(each, t.tsquery(s))
	}
	return strings.Join(each, " & ")
}

func (t term) tsquery(s scope) string {
	var follow []string
	for i, w := range t.words {
		lexeme := quotedLexeme(s.word(w))
		if t.prefix && i == len(t.words)-1 {
			lexeme += ":*"
		}
		follow = append(follow, lexeme)
	}
	phrase := "(" + strings.Join(follow, " <-> ") + ")"
	if t.not {
		// An index finds what is there: all documents but those.
		return "(" + quotedLexeme(s.any()) + " & !" + phrase + ")"
	}
	return phrase
}

// split takes the beginning of a word apart from what else must hold. ok is false
// where nothing would be left that an index could find.
func (w webQuery) split() (prefix, rest webQuery, ok bool) {
	if len(w.any) != 1 {
		return prefix, rest, false
	}
	all := w.any[0]
	last := all[len(all)-1]
	if !last.prefix || !slices.ContainsFunc(all[:len(all)-1], func(t term) bool { return !t.not }) {
		return prefix, rest, false
	}
	last.words = last.words[len(last.words)-1:]
	return webQuery{any: [][]term{{last}}}, webQuery{any: [][]term{all[:len(all)-1]}}, true
}

// within narrows a tsquery to documents that have lexemes; it may be empty.
func within(tsquery string, facets []string) string {
	var all []string
	if tsquery != "" {
		all = append(all, "("+tsquery+")")
	}
	for _, f := range facets {
		all = append(all, quotedLexeme(f))
	}
	return strings.Join(all, " & ")
}
