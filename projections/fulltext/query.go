package fulltext

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Query is a search as people type it, with the syntax of websearch_to_tsquery:
//
//	two words       both
//	"two words"     one after the other
//	this or that    either
//	-word           not this one
//
// The last word is a prefix if it is bare and nothing follows it; a * at its end, which
// other programs need for that, changes nothing. An "or" that nothing follows is left
// out: another word may still be typed. Any text is a search; one without words finds
// nothing.
type Query struct {
	// any are the alternatives, each of terms that must all hold.
	any [][]term
}

// term is a phrase: words that follow each other.
type term struct {
	words  []string
	not    bool
	prefix bool // the last word is the beginning of a word
}

// Parse reads a search.
func Parse(q string) Query {
	var (
		w       Query
		all     []term
		pending bool // the next term follows an "or"
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

// Empty reports whether the search has no words.
func (w Query) Empty() bool { return len(w.any) == 0 }

// TSQuery is the search among the documents of a scope, in the syntax of tsquery.
func (w Query) TSQuery(s Scope) string {
	var either []string
	for _, all := range w.any {
		either = append(either, join(s, all))
	}
	return strings.Join(either, " | ")
}

func join(s Scope, all []term) string {
	var each []string
	for _, t := range all {
		each = append(each, t.tsquery(s))
	}
	return strings.Join(each, " & ")
}

func (t term) tsquery(s Scope) string {
	var follow []string
	for i, w := range t.words {
		lexeme := quote(s.word(w))
		if t.prefix && i == len(t.words)-1 {
			lexeme += ":*"
		}
		follow = append(follow, lexeme)
	}
	phrase := "(" + strings.Join(follow, " <-> ") + ")"
	if t.not {
		// An index only finds lexemes that are present: all documents but those.
		return "(" + s.All() + " & !" + phrase + ")"
	}
	return phrase
}

// Split separates the prefix at the end of a search from the other terms. ok is false
// if nothing that an index can find would be left.
func (w Query) Split() (prefix, rest Query, ok bool) {
	if len(w.any) != 1 {
		return prefix, rest, false
	}
	all := w.any[0]
	last := all[len(all)-1]
	if !last.prefix || !slices.ContainsFunc(all[:len(all)-1], func(t term) bool { return !t.not }) {
		return prefix, rest, false
	}
	last.words = last.words[len(last.words)-1:]
	return Query{any: [][]term{{last}}}, Query{any: [][]term{all[:len(all)-1]}}, true
}

// Within narrows a tsquery, which may be empty, to documents that match all of some others.
func Within(tsquery string, others []string) string {
	var all []string
	if tsquery != "" {
		all = append(all, "("+tsquery+")")
	}
	for _, o := range others {
		all = append(all, "("+o+")")
	}
	return strings.Join(all, " & ")
}
