package domain_test

import (
	"testing"
	"unicode"

	"docket/domain"

	"golang.org/x/text/unicode/norm"
)

func TestCaseless(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"one@example.org", "ONE@EXAMPLE.ORG", "One@Example.Org"},
		{"straße@example.org", "STRASSE@example.org", "strasse@EXAMPLE.org", "STRAẞE@example.org"},
		{"\u00e9@x", "e\u0301@x", "\u00c9@x", "E\u0301@x"},
		{"\u212a@x", "k@x", "K@x"},                  // the Kelvin sign
		{"\u017f\u0301@x", "\u015b@x", "S\u0301@x"}, // long s with an acute
		{"σ@x", "ς@x", "Σ@x"},
		{"\u13a0@x", "\uab70@x"}, // Cherokee
		{"\u01f0@x", "J\u030c@x"},
	} {
		for _, s := range same[1:] {
			if domain.Caseless(s) != domain.Caseless(same[0]) {
				t.Errorf("%+q and %+q fold differently, want the same", same[0], s)
			}
		}
	}
	for _, other := range []string{"one@example.com", "one@example.orɡ", "on\u0435@example.org", "\u0131@x"} {
		for _, s := range []string{"one@example.org", "i@x"} {
			if domain.Caseless(other) == domain.Caseless(s) {
				t.Errorf("%+q and %+q fold alike, want two texts", other, s)
			}
		}
	}
}

// Both cases of a letter have the same fold, alone and with accents.
func TestCaselessOfEveryLetter(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.SimpleFold(r) == r || unicode.IsMark(r) {
			continue
		}
		for _, accent := range []string{"", "\u0301", "\u0345\u0301", "\u0323\u0307"} {
			folded := domain.Caseless(string(r) + accent)
			for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
				// U+0345 is a mark, so its place among others differs from the iota's.
				if other := domain.Caseless(string(o) + accent); other != folded && !unicode.IsMark(o) {
					t.Errorf("%+q and %+q with %+q fold to %+q and %+q", r, o, accent, folded, other)
				}
			}
			checkCaseless(t, string(r)+accent)
		}
	}
}

// checkCaseless fails unless the text's fold is stable and equal to that of its other forms.
func checkCaseless(t *testing.T, s string) {
	t.Helper()
	folded := domain.Caseless(s)
	if again := domain.Caseless(folded); again != folded {
		t.Errorf("%+q folds to %+q, and that to %+q", s, folded, again)
	}
	if !norm.NFC.IsNormalString(folded) {
		t.Errorf("%+q folds to %+q, which isn't in NFC", s, folded)
	}
	for _, form := range []norm.Form{norm.NFC, norm.NFD} {
		if other := domain.Caseless(form.String(s)); other != folded {
			t.Errorf("%+q folds to %+q, another form of it to %+q", s, folded, other)
		}
	}
}
