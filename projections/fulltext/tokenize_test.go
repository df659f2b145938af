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
		"":                                "",
		" \t\n -–! €":                     "",
		"🎄":                               "🎄",
		"Fix TASK-123, api/v2.1":          "fix|task|123|task123|api|v|2|v2|1",
		"Straße ÄRGER ﬁn":                 "strasse|arger|fin",
		"Ꭰ Ᏸ":                             "ꭰ|ᏸ",
		"ꭰ ᏸ":                             "ꭰ|ᏸ",
		"A\u0308rger":                     "arger",
		"apiKey HTTPServer PDFs utf8":     "api|key|apikey|http|server|httpserver|pdfs|utf|8|utf8",
		"node.js don’t don´t 1.2.3":       "node|js|nodejs|don|t|dont|don|t|dont|1|2|3",
		"a-b-c-d a-b-c-d-e":               "a|b|c|d|abcd|a|b|c|d|e",
		"C++ C# C C♯, notepad++ a#b a+++": "+c++|+c#|c|+c#|+notepad++|notepad|a|b|a",
		"6f1c2b3a4d5e6f7a":                "6f1c2b3a4d5e6f7a",
		"👍🏽 👩\u200d💻 🇩🇪":                  "👍|👩|💻|🇩|🇪",
		"가을 ไทย":                          "가|을|ไ|ท|ย",
		"ёлка йод їжак م\u064fدر\u0640سة ١٢": "елка|йод|їжак|مدرسه|12",
		"İstanbul ISSIZ ıssız i\u0307\u0307": "istanbul|issiz|issiz|i",
		"東京タワー go":                           "東|京|タ|ワ|ー|go",
		strings.Repeat("x", 100) + " y":      strings.Repeat("x", maxWord) + "|y",
	} {
		var got []string
		for _, w := range words(text) {
			got = append(got, w.text)
		}
		if got := strings.Join(got, "|"); got != want {
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
		want := folded(text)
		for _, other := range []string{
			want, strings.ToUpper(text), strings.ToLower(text), strings.ToTitle(text), cases.Upper(language.Und).String(text), cases.Lower(language.Und).String(text),
			strings.ToUpperSpecial(unicode.TurkishCase, text), strings.ToLowerSpecial(unicode.TurkishCase, text),
		} {
			if got := folded(other); got != want {
				t.Errorf("%q is %q, and %q is %q", text, want, other, got)
			}
		}
	}
}

func folded(text string) string { return newFolder().word(normalize(text)) }
