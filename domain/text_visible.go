package domain

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/runenames"
)

// HiddenCharacter says which character of a name, title or label may not be there, and
// where; empty if all may. Bidirectional overrides and isolates make a text read as
// another one, and characters without ink make two different texts look alike. What
// spells words and emoji stays:
//
//   - a joiner (U+200C, U+200D) after a letter of a script that has forms to choose from,
//     as Arabic or Devanagari, or between two symbols, as in an emoji of a family;
//   - a variation selector after what it varies;
//   - tag characters in the emoji of a flag;
//   - the marks U+200E, U+200F and U+061C, which order no other text.
func HiddenCharacter(s string) string {
	before, at := ' ', 0
	inFlag := false
	for i, r := range s {
		at++
		next := ' '
		if rest := s[i+utf8.RuneLen(r):]; rest != "" {
			next, _ = utf8.DecodeRuneInString(rest)
		}
		inFlag = r == blackFlag || inFlag && unicode.Is(tags, r)
		if hides(before, r, next, inFlag) {
			return fmt.Sprintf("character %d is %U %s, which can't be seen and isn't allowed here", at, r, runenames.Name(r))
		}
		before = r
	}
	return ""
}

const (
	nonJoiner, joiner = '\u200c', '\u200d'
	blackFlag         = '\U0001f3f4'
)

// tags spell the region of a flag.
var tags = &unicode.RangeTable{R32: []unicode.Range32{{Lo: 0xe0020, Hi: 0xe007f, Stride: 1}}}

// blanks have no ink though Unicode counts them among letters, marks and symbols, or has
// assigned nothing there and asks for none to be drawn.
var blanks = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, {Lo: 0x115f, Hi: 0x1160, Stride: 1}, {Lo: 0x17b4, Hi: 0x17b5, Stride: 1},
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, {Lo: 0x3164, Hi: 0x3164, Stride: 1}, {Lo: 0xffa0, Hi: 0xffa0, Stride: 1},
		{Lo: 0xfff0, Hi: 0xfff8, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0xe0000, Hi: 0xe0fff, Stride: 1}},
}

// visibleFormats are of the class of format characters (Cf) and have ink: signs that
// enclose digits.
var visibleFormats = unicode.Prepended_Concatenation_Mark

// directionMarks have no ink and change no order but their own.
var directionMarks = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x061c, Hi: 0x061c, Stride: 1}, {Lo: 0x200e, Hi: 0x200f, Stride: 1},
}}

func hides(before, r, next rune, inFlag bool) bool {
	switch {
	case r <= unicode.MaxLatin1 && r != '\u00ad': // most, quickly
		return false
	case r == nonJoiner, r == joiner:
		joins := unicode.In(before, unicode.L, unicode.M) && !unicode.In(before, withoutJoiners...)
		return !joins && (r == nonJoiner || !pictures(before) || !pictures(next))
	case unicode.Is(unicode.Variation_Selector, r):
		return !Visible(before) && !unicode.IsMark(before) || unicode.Is(unicode.Variation_Selector, before) ||
			unicode.In(before, withoutVariants...)
	case unicode.Is(tags, r):
		return !inFlag
	case unicode.In(r, visibleFormats, directionMarks):
		return false
	}
	return unicode.In(r, unicode.Cf, blanks)
}

// withoutJoiners are scripts in which a joiner changes nothing that can be seen; marks
// that any script uses count as theirs.
var withoutJoiners = []*unicode.RangeTable{
	unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Georgian, unicode.Hebrew, unicode.Han,
	unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Hangul, unicode.Common, unicode.Inherited,
}

// withoutVariants are scripts whose letters have no variants. ℹ is no Latin letter.
var withoutVariants = []*unicode.RangeTable{unicode.Latin, unicode.Greek, unicode.Cyrillic}

// pictures reports what can be part of an emoji that joiners make: symbols, what colours
// and shapes them, and what this program's Unicode tables are too old to know.
func pictures(r rune) bool {
	return unicode.IsSymbol(r) || r >= 0x1f000 && r <= 0x1fbff || unicode.Is(unicode.Variation_Selector, r) || unicode.Is(tags, r)
}

// Visible reports whether a character has ink of its own: no space, control or format
// character, nor a mark, which needs a letter.
func Visible(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z, unicode.Mn, unicode.Me, blanks, unicode.Noncharacter_Code_Point, unicode.Variation_Selector) ||
		unicode.Is(visibleFormats, r)
}
