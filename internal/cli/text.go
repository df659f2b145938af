package cli

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// OneLine joins the lines of a text, such as an error that a driver prints over
// several. It leaves out repeated lines, as after a second try.
func OneLine(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// Printable replaces line breaks and control characters by spaces, so that a stored
// text stays on one line and the terminal does not obey it.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, s)
}

// Truncate cuts a text to a width in columns.
func Truncate(s string, width int) string { return runewidth.Truncate(s, width, "…") }

// Duration is a duration for people: the longer, the less exact.
func Duration(d time.Duration) string {
	unit := time.Millisecond
	switch {
	case d >= time.Minute:
		unit = time.Second
	case d >= time.Second:
		unit = 100 * time.Millisecond
	}
	return d.Round(unit).String()
}

// WriteJSON writes one JSON object on a line of its own, which is what every --json
// prints.
func WriteJSON(w io.Writer, object any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // stored text is printed as it is
	return e.Encode(object)
}
