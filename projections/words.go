package projections

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxWord is how many characters of a word are told apart.
const maxWord = 64

// words are the words of a text, in order: runs of letters, digits and the marks
// that belong to them, in the form in which case and compatible spellings don't
// count (NFKC and full case folding, and i and ı alike). Chinese and Japanese have no
// spaces; there each character is a word, and a search for several is one for a phrase.
//
// Documents are made of them: who changes them raises the fold version of search.
func words(text string) []string {
	text = folded(text)
	var (
		list  = make([]string, 0, len(text)/5) // hardly ever more
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

func folded(text string) string {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			// Lower case at last: Cherokee is folded to capitals, and of those only some.
			return norm.NFKC.String(oneI(strings.ToLower(cases.Fold().String(norm.NFKC.String(text)))))
		}
	}
	return strings.ToLower(text)
}

// oneI has i and ı be one letter. Their capitals in Turkish are İ and I, and a folding
// that doesn't know the language makes three letters of these four: i, ı, and of İ an i
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
