package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"docket/internal/cli"

	"github.com/creack/pty"
	"github.com/mattn/go-runewidth"
)

// onTerminal runs the program on a terminal of some columns, and returns the status and
// what the terminal got.
func onTerminal(t *testing.T, columns int, environ map[string]string, args ...string) (int, string) {
	t.Helper()
	screen, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 50, Cols: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	shown := make(chan string, 1)
	go func() {
		raw, _ := io.ReadAll(screen) // ends with an error when the last tty is closed
		shown <- strings.ReplaceAll(string(raw), "\r\n", "\n")
	}()
	p := &program{environ: environ, stdout: tty, stderr: io.Discard, cutOff: context.Background()}
	status := p.run(t.Context(), args)
	tty.Close()
	return status, <-shown
}

func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	environ := func(more ...string) map[string]string {
		e := map[string]string{"DOCKET_DATA_DIR": t.TempDir(), "TERM": "xterm"}
		for i := 0; i < len(more); i += 2 {
			e[more[i]] = more[i+1]
		}
		return e
	}
	for _, tc := range []struct {
		name    string
		environ map[string]string
		args    []string
		colours bool
	}{
		{"on a terminal", environ(), []string{"config", "check"}, true},
		{"help on a terminal", environ(), []string{"help"}, true},
		{"an empty NO_COLOR", environ("NO_COLOR", ""), []string{"config", "check"}, true},
		{"NO_COLOR", environ("NO_COLOR", "1"), []string{"config", "check"}, false},
		{"help with NO_COLOR", environ("NO_COLOR", "1"), []string{"help"}, false},
		{"a terminal without colours", environ("TERM", "dumb"), []string{"config", "check"}, false},
		{"JSON on a terminal", environ(), []string{"config", "check", "--json"}, false},
	} {
		status, shown := onTerminal(t, 80, tc.environ, tc.args...)
		if status != cli.StatusDone || strings.Contains(shown, "\x1b[") != tc.colours || shown == "" {
			t.Errorf("%s: status %d, %q", tc.name, status, shown)
		}
	}
	// Not a terminal, though a file.
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if s := (&program{stdout: file}).screen(); s.Colour || s.Width != 0 {
		t.Errorf("a file: %+v", s)
	}
}

// No text for people is wider than the terminal, but for examples, which are copied.
func TestTextsFitTheTerminal(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"DOCKET_DATA_DIR": t.TempDir(), "NO_COLOR": "1"}
	for _, columns := range []int{60, 80, 120} {
		for _, args := range []string{"help", "help projections rebuild", "help tenants", "config check --addr 127.0.0.1:8000"} {
			status, shown := onTerminal(t, columns, environ, strings.Fields(args)...)
			if status != cli.StatusDone {
				t.Errorf("%s: status %d", args, status)
			}
			for line := range strings.Lines(shown) {
				line = strings.TrimSuffix(line, "\n")
				if w := runewidth.StringWidth(line); w > columns && !strings.HasPrefix(line, "  docket ") && strings.Contains(strings.TrimSpace(line), " ") && !strings.Contains(line, environ["DOCKET_DATA_DIR"]) {
					t.Errorf("%s on %d columns: %d in %q", args, columns, w, line)
				}
			}
		}
	}
}
