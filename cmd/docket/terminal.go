package main

import (
	"encoding/json"
	"io"
	"os"

	"golang.org/x/term"
)

// screen is where a command writes for people.
type screen struct {
	io.Writer
	// width is in columns; 0 where it isn't a terminal: nothing is cut or wrapped.
	width  int
	colour bool
}

// screen is standard output. It has colours on a terminal only, and not where
// NO_COLOR (no-color.org) is set or the terminal knows none.
func (p *program) screen() screen {
	s := screen{Writer: p.stdout}
	f, ok := p.stdout.(*os.File)
	if !ok || !isTerminal(f) {
		return s
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.width = width
	}
	s.colour = p.environ["NO_COLOR"] == "" && p.environ["TERM"] != "dumb"
	return s
}

// isTerminal reports whether somebody sees what is written.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// style is how a word stands out: the parameters of an SGR sequence (ECMA-48).
type style string

const (
	plain  style = ""
	bold   style = "1"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// paint gives a text a style where the screen has colours.
func (s screen) paint(how style, text string) string {
	if !s.colour || how == plain {
		return text
	}
	return "\x1b[" + string(how) + "m" + text + "\x1b[0m"
}

// writeLineJSON writes one JSON object on a line of its own, which is what every
// --json prints.
func writeLineJSON(w io.Writer, object any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // what was stored stays as it is
	return e.Encode(object)
}
