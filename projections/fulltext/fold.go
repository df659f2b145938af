package fulltext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// folder brings words into the form in which they are compared. It isn't safe for
// concurrent use.
type folder struct{ fold cases.Caser }

func newFolder() folder { return folder{cases.Fold()} }

// word is the form in which a word is compared: without case (full case folding), without
// accents and vowel points, in compatible characters (NFKC), digits of every script as
// those of ASCII, letters that people type for each other as one.
func (f folder) word(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	// Lower case last: folding turns some Cherokee letters into capitals.
	text = norm.NFKD.String(strings.ToLower(f.fold.String(norm.NFKD.String(text))))
	var (
		out  strings.Builder
		base rune // the last one that is no mark
	)
	out.Grow(len(text))
	for _, r := range text {
		if r < utf8.RuneSelf {
			out.WriteByte(byte(r))
			base = r
			continue
		}
		if ignorable(r) || isAccent(r) && !distinguishes(base, r) {
			continue
		}
		if same, ok := sameLetter[r]; ok {
			out.WriteString(same)
		} else if d, ok := digit(r); ok {
			out.WriteByte(d)
		} else {
			out.WriteRune(r)
		}
		if !unicode.IsMark(r) {
			base = r
		}
	}
	return norm.NFKC.String(out.String())
}

// normalize is the form of a text in which its words are found: compatible characters
// (NFKC), with the case as it is.
func normalize(text string) string {
	if isASCII(text) {
		return text
	}
	// NFKC makes a space and an accent of ´, which many type as an apostrophe.
	return norm.NFKC.String(strings.ReplaceAll(text, "´", "'"))
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// accents are the marks that don't count: those of Latin, Greek and Cyrillic, the vowel
// points of Hebrew and Arabic, and the nukta of Devanagari. Marks of other scripts are
// vowels or make another letter.
var accents = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x0300, Hi: 0x036f, Stride: 1}, {Lo: 0x0483, Hi: 0x0489, Stride: 1}, {Lo: 0x0591, Hi: 0x05bd, Stride: 1}, {Lo: 0x05bf, Hi: 0x05bf, Stride: 1},
	{Lo: 0x05c1, Hi: 0x05c2, Stride: 1}, {Lo: 0x05c4, Hi: 0x05c5, Stride: 1}, {Lo: 0x05c7, Hi: 0x05c7, Stride: 1}, {Lo: 0x0610, Hi: 0x061a, Stride: 1},
	{Lo: 0x064b, Hi: 0x065f, Stride: 1}, {Lo: 0x0670, Hi: 0x0670, Stride: 1}, {Lo: 0x06d6, Hi: 0x06dc, Stride: 1}, {Lo: 0x06df, Hi: 0x06e4, Stride: 1},
	{Lo: 0x06e7, Hi: 0x06e8, Stride: 1}, {Lo: 0x06ea, Hi: 0x06ed, Stride: 1}, {Lo: 0x093c, Hi: 0x093c, Stride: 1}, {Lo: 0x1ab0, Hi: 0x1aff, Stride: 1},
	{Lo: 0x1dc0, Hi: 0x1dff, Stride: 1}, {Lo: 0x20d0, Hi: 0x20ff, Stride: 1}, {Lo: 0xfe20, Hi: 0xfe2f, Stride: 1},
}}

func isAccent(r rune) bool { return unicode.Is(accents, r) }

// distinguishes reports accents that make another letter of the Cyrillic alphabets: й
// and ў (breve) and ї (diaeresis). ё counts as е, as most write it.
func distinguishes(base, accent rune) bool {
	const breve, diaeresis = 0x0306, 0x0308
	return accent == breve && (base == 'и' || base == 'у') || accent == diaeresis && base == 'і'
}

// sameLetter has letters that no normalization takes apart, but that people type as
// others: strokes and ligatures of Latin, the dotless i of Turkish, and the letters that
// Arabic and Persian keyboards write differently.
var sameLetter = map[rune]string{
	'ı': "i", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'ħ': "h", 'ŧ': "t", 'æ': "ae", 'œ': "oe", 'þ': "th",
	'ى': "ي", 'ی': "ي", 'ک': "ك", 'ة': "ه",
}

// digit is the ASCII digit of a decimal digit of any script. Unicode has them in runs of
// ten that begin with zero.
func digit(r rune) (byte, bool) {
	if !unicode.IsDigit(r) {
		return 0, false
	}
	for _, t := range unicode.Nd.R16 {
		if lo := rune(t.Lo); lo <= r && r <= rune(t.Hi) {
			return '0' + byte((r-lo)%10), true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if lo := rune(t.Lo); lo <= r && r <= rune(t.Hi) {
			return '0' + byte((r-lo)%10), true
		}
	}
	return 0, false
}

// ignorable reports characters that count for nothing, inside a word too: joiners, soft
// hyphens, marks of direction, variation selectors, skin tones, and the tatweel, which
// stretches Arabic words. A zero width space isn't one of them: it separates words.
func ignorable(r rune) bool {
	switch {
	case r < 0xad:
		return false
	case r == 0x200b:
		return false
	case r == 0x0640 || r == 0x034f || 0xfe00 <= r && r <= 0xfe0f || 0x1f3fb <= r && r <= 0x1f3ff || 0xe0000 <= r && r <= 0xe0fff:
		return true
	}
	return unicode.Is(unicode.Cf, r)
}
