package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a\tb  c": "a b c", "failed:\n\thost: refused\n\thost: refused\n": "failed: host: refused", "\n": "", "a\nb": "a b",
	} {
		if got := OneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one two\nthree":                    "one two\nthree",
		"one two three four":                "one two\nthree four",
		"one\n\ntwo":                        "one\n\ntwo",
		"  a  one two three":                "  a  one\n     two\n     three",
		"  averylongword  x":                "  averylongword  x",
		"\tto be copied as it is":           "  to be copied as it is",
		"a para\ngraph\n  a list\nand more": "a para\ngraph\n  a list\nand more",
	} {
		if got := wrap(text, 10); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Wrapping changes white space only, and leaves no line too long that could be broken.
func TestWrapKeepsAllWords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`( {0,3}[a-zé]{1,12}( {1,3}[a-zé]{1,12}){0,6}\n{0,2}){0,6}`).Draw(t, "text")
		width := rapid.IntRange(1, 40).Draw(t, "width")
		got := wrap(text, width)
		if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(text), " ") {
			t.Fatalf("got %q", got)
		}
		for line := range strings.Lines(got) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > width && !strings.HasPrefix(line, " ") && strings.Contains(line, " ") {
				t.Fatalf("%q is wider than %d", line, width)
			}
		}
	})
}
