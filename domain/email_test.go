package domain_test

import (
	"testing"
	"unicode"

	"docket/domain"

	"golang.org/x/text/unicode/norm"
)

func TestFoldEmail(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"one@example.org", "ONE@EXAMPLE.ORG", "One@Example.Org"},
		{"straße@example.org", "STRAẞE@example.org", "Straße@EXAMPLE.ORG"},
		{"\u00e9@x", "e\u0301@x", "\u00c9@x", "E\u0301@x"},
		{"\u212a@x", "k@x", "K@x"}, // the Kelvin sign is a K in NFC
		{"σ@x", "Σ@x"},
		{"i\u0307@x", "\u0130@x"},
		{"\u13a0@x", "\uab70@x"}, // Cherokee
		{"\u01f0@x", "J\u030c@x"},
		{"jürgen@münchen.example", "JÜRGEN@MÜNCHEN.example", "jürgen@xn--mnchen-3ya.example", "Ju\u0308rgen@XN--MNCHEN-3YA.Example"},
		{"a@straße.example", "a@xn--strae-oqa.example", "A@STRAẞE.EXAMPLE"},
		{"a@例え。テスト", "a@例え.テスト", "a@xn--r8jz45g.xn--zckzah"},
		{"a@ｅｘａｍｐｌｅ.org", "a@example.org"},
	} {
		for _, s := range same[1:] {
			if domain.FoldEmail(s) != domain.FoldEmail(same[0]) {
				t.Errorf("%+q and %+q fold to %+q and %+q, want the same", same[0], s, domain.FoldEmail(same[0]), domain.FoldEmail(s))
			}
		}
	}
	for _, other := range [][]string{
		{"one@example.org", "one@example.com", "one@example.orɡ", "on\u0435@example.org"},
		{"strauß@x", "strauss@x"}, {"a@strauß.example", "a@strauss.example"},
		{"s@x", "\u017f@x"}, // long s
		{"i@x", "\u0131@x", "\u0130@x"}, {"σ@x", "ς@x"}, {"ﬀ@x", "ff@x"}, {"é@x", "e@x"},
	} {
		for i, s := range other {
			for _, o := range other[:i] {
				if domain.FoldEmail(o) == domain.FoldEmail(s) {
					t.Errorf("%+q and %+q fold alike, want two addresses", o, s)
				}
			}
		}
	}
}

// A letter has the form of its lower case, alone and with accents, before and behind the @.
func TestFoldEmailOfEveryLetter(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.ToLower(r) == r || unicode.IsMark(r) {
			continue
		}
		for _, accent := range []string{"", "\u0301", "\u0323\u0307"} {
			s := string(r) + accent
			lower := string(unicode.ToLower(r)) + accent
			// The dot of İ is a mark of its own in lower case.
			if domain.FoldEmail(lower) != domain.FoldEmail(s) && r != '\u0130' {
				t.Errorf("%+q and %+q fold to %+q and %+q", s, lower, domain.FoldEmail(s), domain.FoldEmail(lower))
			}
			checkFold(t, s)
		}
		checkFold(t, "a@"+string(r)+".example")
	}
}

// checkFold fails unless the address's fold is stable and equal to that of its other forms.
func checkFold(t *testing.T, s string) {
	t.Helper()
	folded := domain.FoldEmail(s)
	if again := domain.FoldEmail(folded); again != folded {
		t.Errorf("%+q folds to %+q, and that to %+q", s, folded, again)
	}
	if !norm.NFC.IsNormalString(folded) {
		t.Errorf("%+q folds to %+q, which isn't in NFC", s, folded)
	}
	for _, form := range []norm.Form{norm.NFC, norm.NFD} {
		if other := domain.FoldEmail(form.String(s)); other != folded {
			t.Errorf("%+q folds to %+q, another form of it to %+q", s, folded, other)
		}
	}
}

// folded are addresses as users are found by them; the tables above show how they are
// written.
func folded(addresses []string) []string {
	var out []string
	for _, a := range addresses {
		out = append(out, domain.FoldEmail(a))
	}
	return out
}
