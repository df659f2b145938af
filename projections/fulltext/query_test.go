package fulltext

import "testing"

func TestQueries(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                  "",
		`"`:                 "",
		"- -- ! & | ( ) :*": "",
		"Red":               "('S.red':*)",
		"red ":              "('S.red')",
		"red blue":          "('S.red') & ('S.blue':*)",
		"red or blue":       "('S.red') | ('S.blue':*)",
		"or":                "('S.or':*)",
		"red or":            "('S.red')",
		"red or ":           "('S.red')",
		"red OR or":         "('S.red')",
		"red blue or":       "('S.red') & ('S.blue')",
		"-red or":           "('S.red')",
		"- or":              "('S.or':*)",
		"red or*":           "('S.red') & ('S.or':*)",
		"red -or":           "('S.red') & !('S.or')",
		`red "or"`:          "('S.red') & ('S.or')",
		"red orange":        "('S.red') & ('S.orange':*)",
		`"red blue"`:        "('S.red' <-> 'S.blue')",
		`"red blu`:          "('S.red' <-> 'S.blu')",
		"re-do":             "('S.re' <-> 'S.do':* | 'S.redo':*)",
		"red.":              "('S.red')",
		"re*":               "('S.re':*)",
		"red bl**":          "('S.red') & ('S.bl':*)",
		"re* blue":          "('S.re') & ('S.blue':*)",
		"re* ":              "('S.re')",
		"re.*":              "('S.re')",
		"red *":             "('S.red')",
		"red -bl*":          "('S.red') & !('S.bl')",
		"red -blue":         "('S.red') & !('S.blue')",
		`a b or -"c d" e`:   "('S.a') & ('S.b') | !('S.c' <-> 'S.d') & ('S.e':*)",
		"-123":              "('S.123':*)",
		"-a -b":             "('S.a') & ('S.b':*)",
		"red or -blue":      "('S.red') | ('S.blue':*)",
		"--force":           "('S.force':*)",
		"“red blue” x ":     "('S.red' <-> 'S.blue') & ('S.x')",
		"red -apiKey":       "('S.red') & !('S.api' <-> 'S.key' | 'S.apikey')",
		"C++":               "('S.+c++')",
		"notepad++ ":        "('S.+notepad++')",
		"v1.2 ":             "('S.v' <-> 'S.1' <-> 'S.2' | 'S.v1' <-> 'S.2')",
	} {
		if got := Parse(text).TSQuery("S."); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}
