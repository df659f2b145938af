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
// A hyphen excludes only where another word of the same alternative is looked for; two
// hyphens never do. The last word is a prefix if it is bare and nothing follows it; a * at its end, which other
// programs need for that, changes nothing. An "or" that nothing follows is left out:
// another word may still be typed. Any text is a search; one without words finds nothing.
type Query struct {
	// any are the alternatives, each of terms that must all hold.
	any [][]term
}

// term is a phrase: words that follow each other.
type term struct {
	words []string
	// joined are the words with those that are one compound as one: a search for apiKey
	// finds "apikey" too. It is nil where there are none.
	joined []string
	not    bool
	prefix bool // the last word is the beginning of a word
}

// newTerm is the term of a text.
func newTerm(text string) (t term) {
	all := words(text)
	longest := map[int]word{} // by the place of the first word
	for _, w := range all {
		switch {
		case w.only:
		case w.from == w.to:
			t.words = append(t.words, w.text)
		case longest[w.from].to < w.to:
			longest[w.from] = w
		}
	}
	if len(longest) == 0 {
		return t
	}
	for i := 0; i < len(t.words); i++ {
		w, ok := longest[i]
		if !ok {
			t.joined = append(t.joined, t.words[i])
			continue
		}
		t.joined = append(t.joined, w.text)
		i = w.to
	}
	return t
}

// quotes are the marks that enclose phrases, besides ".
var quotes = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‟", `"`, "«", `"`, "»", `"`, "＂", `"`)

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
	q = quotes.Replace(q)
	for rest := strings.TrimLeftFunc(q, unicode.IsSpace); rest != ""; rest = strings.TrimLeftFunc(rest, unicode.IsSpace) {
		not := rest[0] == '-' && !strings.HasPrefix(rest, "--")
		if not {
			rest = rest[1:]
		}
		if strings.HasPrefix(rest, `"`) {
			phrase, after, _ := strings.Cut(rest[1:], `"`)
			t := newTerm(phrase)
			t.not, rest = not, after
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
		if strings.EqualFold(bare, "or") && !not && len(all) > 0 {
			pending = true
			continue
		}
		t := newTerm(bare)
		t.not, t.prefix = not, last && endsInWord(strings.TrimRight(bare, "*"))
		add(t)
	}
	if len(all) > 0 {
		w.any = append(w.any, all)
	}
	for _, all := range w.any {
		// Without a word to look for, a hyphen excludes nothing: -123 is a number.
		if !slices.ContainsFunc(all, func(t term) bool { return !t.not }) {
			for i := range all {
				all[i].not = false
			}
		}
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

// Sought is the search without the words that it excludes. A rank is about these: an
// excluded word would lower it.
func (w Query) Sought() Query {
	var sought Query
	for _, all := range w.any {
		sought.any = append(sought.any, slices.DeleteFunc(slices.Clone(all), func(t term) bool { return t.not }))
	}
	return sought
}

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
	phrase := "(" + t.phrase(s, t.words)
	if t.joined != nil {
		phrase += " | " + t.phrase(s, t.joined)
	}
	phrase += ")"
	if t.not {
		return "!" + phrase
	}
	return phrase
}

func (t term) phrase(s Scope, words []string) string {
	var follow []string
	for i, w := range words {
		lexeme := quote(s.word(w))
		if t.prefix && !t.not && i == len(words)-1 {
			lexeme += ":*"
		}
		follow = append(follow, lexeme)
	}
	return strings.Join(follow, " <-> ")
}

// Split separates the prefix at the end of a search from the other terms. ok is false
// if nothing that an index can find would be left.
func (w Query) Split() (prefix, rest Query, ok bool) {
	if len(w.any) != 1 {
		return prefix, rest, false
	}
	all := w.any[0]
	last := all[len(all)-1]
	if last.not || !last.prefix || !slices.ContainsFunc(all[:len(all)-1], func(t term) bool { return !t.not }) {
		return prefix, rest, false
	}
	last.words, last.joined = last.words[len(last.words)-1:], nil
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
