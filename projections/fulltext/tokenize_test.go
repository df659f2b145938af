package fulltext

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "",
		" \t\n -–! 🎄":                        "",
		"Fix TASK-123, api/v2.1":             "fix|task|123|api|v2|1",
		"Straße ÄRGER ﬁn":                    "strasse|ärger|fin",
		"Ꭰ Ᏸ":                                "ꭰ|ᏸ",
		"ꭰ ᏸ":                                "ꭰ|ᏸ",
		"A\u0308rger":                        "ärger",
		"İstanbul ISSIZ ıssız i\u0307\u0307": "istanbul|issiz|issiz|i",
		"東京タワー go":                           "東|京|タ|ワ|ー|go",
		strings.Repeat("x", 100) + " y":      strings.Repeat("x", maxWord) + "|y",
	} {
		if got := strings.Join(words(text), "|"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Words ignore case in every alphabet, and in languages with case rules of their own.
func TestWordsIgnoreCase(t *testing.T) {
	t.Parallel()
	for r := range rune(unicode.MaxRune + 1) {
		if !unicode.IsLetter(r) {
			continue
		}
		text := string(r)
		want := foldCase(text)
		for _, other := range []string{
			want, strings.ToUpper(text), strings.ToLower(text), strings.ToTitle(text), cases.Upper(language.Und).String(text), cases.Lower(language.Und).String(text),
			strings.ToUpperSpecial(unicode.TurkishCase, text), strings.ToLowerSpecial(unicode.TurkishCase, text),
		} {
			if got := foldCase(other); got != want {
				t.Errorf("%q is %q, and %q is %q", text, want, other, got)
			}
		}
	}
}
