package cli

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Screen is where a command writes text for people.
type Screen struct {
	io.Writer
	// Width is in columns; 0 where the output is no terminal: nothing is cut or wrapped.
	Width int
	// Colour says that the terminal shows colours.
	Colour bool
}

// NewScreen describes an output. It has colours on a terminal only, unless the
// environment has NO_COLOR (no-color.org) or TERM is dumb.
func NewScreen(out io.Writer, environ map[string]string) Screen {
	s := Screen{Writer: out}
	f, ok := out.(*os.File)
	if !ok || !IsTerminal(f) {
		return s
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.Width = width
	}
	s.Colour = environ["NO_COLOR"] == "" && environ["TERM"] != "dumb"
	return s
}

// IsTerminal reports whether an output is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Style is how a word stands out: the parameters of an SGR sequence (ECMA-48).
type Style string

// The styles that commands use.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
)

// Paint gives a text a style where the screen has colours.
func (s Screen) Paint(style Style, text string) string {
	if !s.Colour || style == Plain {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}
