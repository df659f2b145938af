package domain_test

import (
	"strings"
	"testing"

	"docket/domain"
)

// Names, titles and labels take what people write, in any script, and emoji.
func TestVisibleNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Zoë", "e\u0301", "Łódź", "שלום", "مرحبا", "東京", "한국어", "ᄒ", "ไทย", "\u200eAB\u200f", "١٢٣", "\u0600\u0661", "-", "…", "a\u00a0b", "Ⅷ",
		"می\u200cخواهم", "نامه\u200cها", "۱۳۹۰ ه\u200d.ش", // Persian: a half space, and the form of a beginning
		"क्\u200dष", "क्\u200cष", "र्\u200d", "ශ්\u200dරී", "മലയാള്\u200d", // Indic
		"👨\u200d👩\u200d👧\u200d👦", "👩🏽\u200d💻", "🏳\ufe0f\u200d🌈", "❤\ufe0f\u200d🔥", "👁\ufe0f\u200d🗨\ufe0f", "🧑\u200d⚕\ufe0f", "😶\u200d🌫\ufe0f",
		"1\ufe0f\u20e3", "#\ufe0f\u20e3", "ℹ\ufe0f", "©\ufe0f", "🇩🇪", "☺\ufe0e", "葛\U000e0100", "‼\ufe0f",
		"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f rules", // England
		"\U0001faea", // newer than this program's tables
	} {
		if hidden := domain.HiddenCharacter(name); hidden != "" || !strings.ContainsFunc(name, domain.Visible) {
			t.Errorf("%+q is refused: %s", name, hidden)
		}
	}
}

// What turns a text around or has no ink is named.
func TestHiddenCharacters(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"user\u202etxt.exe": "character 5 is U+202E RIGHT-TO-LEFT OVERRIDE", "\u202aa": "character 1 is U+202A LEFT-TO-RIGHT EMBEDDING",
		"a\u202c": "U+202C", "a\u2066b": "U+2066", "a\u2067b": "U+2067", "a\u2068b": "U+2068", "a\u2069b": "U+2069 POP DIRECTIONAL ISOLATE",
		"a\u200bb": "character 2 is U+200B ZERO WIDTH SPACE", "\ufeff": "U+FEFF", "a\u2060": "U+2060 WORD JOINER", "\u2063": "U+2063", "a\u00adb": "U+00AD SOFT HYPHEN",
		"\u3164": "U+3164 HANGUL FILLER", "\u115f": "U+115F", "\u1160": "U+1160", "\uffa0": "U+FFA0", "\u2800": "U+2800 BRAILLE PATTERN BLANK",
		"a\u034fb": "U+034F COMBINING GRAPHEME JOINER", "\u180e": "U+180E", "\u17b4": "U+17B4", "\ufff9": "U+FFF9", "a\U0001d173": "U+1D173",
		"a\u200db": "U+200D ZERO WIDTH JOINER", "a\u200cb": "U+200C ZERO WIDTH NON-JOINER", "\u200d": "U+200D", "\u200c\u200c": "U+200C", " \u200d👩": "U+200D",
		"م\u200c\u200cم": "character 3 is U+200C", "👩\u200d": "U+200D", "👩\u200c💻": "U+200C", "👩\u200dx": "U+200D", "漢\u200d字": "U+200D",
		"\ufe0f": "U+FE0F VARIATION SELECTOR-16", "a\ufe0f": "U+FE0F", "☺\ufe0f\ufe0f": "character 3 is U+FE0F", " \U000e0100": "U+E0100", "a\U000e0100": "U+E0100", "\u180b": "U+180B",
		"\U000e0061": "U+E0061 TAG LATIN SMALL LETTER A", "a\U000e0062": "U+E0062", "🏴x\U000e0062": "character 3 is U+E0062", "\U000e0001": "U+E0001",
	} {
		if hidden := domain.HiddenCharacter(name); !strings.Contains(hidden, want) {
			t.Errorf("%+q: %q, want %q", name, hidden, want)
		}
	}
}

// No character is both visible and hidden, or white space.
func TestNamesOfOneCharacter(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= 0x10ffff; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		if s := string(r); domain.HiddenCharacter(s) == "" && domain.Visible(r) && strings.TrimSpace(s) == "" {
			t.Errorf("%U is visible and white space", r)
		} else if domain.HiddenCharacter(s) != "" && domain.Visible(r) {
			t.Errorf("%U is visible and hidden", r)
		}
	}
}
