package fulltext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxWord is how many characters of a word are significant.
const maxWord = 64

// words are the words of a text, in order. A word is a run of letters, digits and
// their marks, in a form that ignores case and compatible spellings (NFKC and full case
// folding, with i and ı as one letter). Chinese and Japanese have no spaces: there each
// character is a word, and a search for several is one for a phrase.
func words(text string) []string {
	text = foldCase(text)
	var (
		list  = make([]string, 0, len(text)/5) // rarely more
		from  = -1
		count int
	)
	for i, r := range text {
		switch {
		case r > unicode.MaxLatin1 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			if from >= 0 && count <= maxWord {
				list = append(list, text[from:i])
			}
			from = -1
			list = append(list, text[i:i+utf8.RuneLen(r)])
		case unicode.IsLetter(r) || unicode.IsNumber(r) || from >= 0 && unicode.IsMark(r):
			if from < 0 {
				from, count = i, 0
			}
			if count++; count == maxWord+1 {
				list = append(list, text[from:i])
			}
		case from >= 0:
			if count <= maxWord {
				list = append(list, text[from:i])
			}
			from = -1
		}
	}
	if from >= 0 && count <= maxWord {
		list = append(list, text[from:])
	}
	return list
}

// foldCase is the form of a text in which words are compared.
func foldCase(text string) string {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			// Lower case last: folding turns some Cherokee letters into capitals.
			return norm.NFKC.String(oneI(strings.ToLower(cases.Fold().String(norm.NFKC.String(text)))))
		}
	}
	return strings.ToLower(text)
}

// oneI makes i and ı one letter. Their Turkish capitals are İ and I; a folding that
// doesn't know the language makes three letters of these four: i, ı, and for İ an i
// with another dot above.
func oneI(text string) string {
	const dotAbove = '\u0307'
	var last rune
	return strings.Map(func(r rune) rune {
		switch {
		case r == 'ı':
			r = 'i'
		case r == dotAbove && last == 'i':
			return -1
		}
		last = r
		return r
	}, text)
}
