package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// term is an entry of the glossary's table of retired words.
type term struct {
	name    string   // as the page spells it
	words   []string // lower case
	phrase  bool     // words of prose in a row, not words of one identifier
	instead string
}

// entry is a `word` or a "phrase" in the first column of the table.
var entry = regexp.MustCompile("`([A-Za-z_]+)`|\"([A-Za-z ]+)\"")

// parse reads the table of retired words from the page.
func parse(page string) ([]term, error) {
	_, section, found := strings.Cut(page, "\n## Retired\n")
	if !found {
		return nil, errors.New("the glossary has no section Retired")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var terms []term
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 4 {
			continue
		}
		instead := strings.TrimSpace(cells[2])
		for _, m := range entry.FindAllStringSubmatch(cells[1], -1) {
			if m[1] != "" {
				terms = append(terms, term{name: m[1], words: split(m[1]), instead: instead})
			} else {
				terms = append(terms, term{name: m[2], words: strings.Fields(strings.ToLower(m[2])), phrase: true, instead: instead})
			}
		}
	}
	if len(terms) == 0 {
		return nil, errors.New("the glossary retires no word")
	}
	return terms, nil
}

// split cuts an identifier into its words in lower case: getTaskID, GET_TASK_ID
// and get-task-id are all get, task, id.
func split(identifier string) []string {
	var words []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = nil
		}
	}
	runes := []rune(identifier)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r):
			end()
			continue
		case unicode.IsUpper(r) && i > 0 && unicode.IsLower(runes[i-1]):
			end()
		case unicode.IsUpper(r) && i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]):
			end()
		}
		word = append(word, r)
	}
	end()
	return words
}

// token is a run of letters, digits and underscores.
var token = regexp.MustCompile(`[\pL\pN_]+`)

// between is what may separate the words of a phrase: blanks, and the marker of a
// comment that goes on in the next line.
var between = regexp.MustCompile(`^(?:[ \t]+|[ \t]*\n[ \t]*(?://|--|>)?[ \t]*)$`)

// located is a word of a text.
type located struct {
	word string
	line int
	// joined says that the word belongs to the identifier of the one before, follows
	// that it continues its sentence.
	joined, follows bool
}

// scan finds the terms in a file's name and text.
func scan(file, text string, terms []term) []hit {
	var hits []hit
	base := file[strings.LastIndexByte(file, '/')+1:]
	stem, _, _ := strings.Cut(base, ".")
	for _, t := range terms {
		if !t.phrase && contains(split(stem), t.words) {
			hits = append(hits, hit{file, 1, "the file name's " + t.name, t.instead})
		}
	}
	words := locate(text)
	for i := range words {
		for _, t := range terms {
			if t.at(words[i:]) {
				hits = append(hits, hit{file, words[i].line, t.name, t.instead})
			}
		}
	}
	return hits
}

// locate cuts a text into words.
func locate(text string) []located {
	var words []located
	line, last := 1, 0
	for _, at := range token.FindAllStringIndex(text, -1) {
		gap := text[last:at[0]]
		line += strings.Count(gap, "\n")
		if strings.HasSuffix(gap, `"`) && strings.HasPrefix(text[at[1]:], `"`) || strings.HasSuffix(gap, `\"`) && strings.HasPrefix(text[at[1]:], `\"`) {
			last = at[1] // a quoted word is a name from elsewhere
			continue
		}
		follows := between.MatchString(gap)
		for i, w := range split(text[at[0]:at[1]]) {
			words = append(words, located{w, line, i > 0, i == 0 && follows})
		}
		last = at[1]
	}
	return words
}

// at reports whether the words begin with the term.
func (t term) at(words []located) bool {
	if len(words) < len(t.words) {
		return false
	}
	for i, w := range t.words {
		if words[i].word != w {
			return false
		}
		if i > 0 && (t.phrase && !words[i].follows || !t.phrase && !words[i].joined) {
			return false
		}
	}
	return true
}

// contains reports whether part is a run of all.
func contains(all, part []string) bool {
	for i := 0; i+len(part) <= len(all); i++ {
		if slices.Equal(all[i:i+len(part)], part) {
			return true
		}
	}
	return false
}
