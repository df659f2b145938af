package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/mattn/go-runewidth"
)

// onTerminal runs the program with a terminal of some columns as its standard
// output, and gives back what that showed.
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
	p := &program{environ: environ, stdout: tty, stderr: io.Discard, atOnce: context.Background()}
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
		if status != statusDone || strings.Contains(shown, "\x1b[") != tc.colours || shown == "" {
			t.Errorf("%s: status %d, %q", tc.name, status, shown)
		}
	}
	// Not a terminal, though a file.
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if s := (&program{stdout: file}).screen(); s.colour || s.width != 0 {
		t.Errorf("a file: %+v", s)
	}
}

// Nothing that a person reads is wider than the terminal, examples apart: those
// are to be copied.
func TestTextsFitTheTerminal(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"DOCKET_DATA_DIR": t.TempDir(), "NO_COLOR": "1"}
	for _, columns := range []int{60, 80, 120} {
		for _, args := range []string{"help", "help projections rebuild", "help tenants", "config check --addr 127.0.0.1:8000"} {
			status, shown := onTerminal(t, columns, environ, strings.Fields(args)...)
			if status != statusDone {
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

func TestTable(t *testing.T) {
	t.Parallel()
	columns := []column{{title: "SLUG"}, {title: "NAME", flexible: true}, {title: "N", right: true, spare: 1}, {title: "ID", spare: 2}}
	rows := [][]cell{
		{{text: "a"}, {text: "東京 and more than fits"}, {text: "1"}, {text: "0123456789"}},
		{{text: "bcdef"}, {text: "x\ty\x1b[31m"}, {text: "234"}, {text: "9"}},
	}
	for _, tc := range []struct {
		width int
		want  string
	}{
		{0, "SLUG   NAME                       N  ID\na      東京 and more than fits    1  0123456789\nbcdef  x y [31m                 234  9\n"},
		{40, "SLUG   NAME                N  ID\na      東京 and more t…    1  0123456789\nbcdef  x y [31m          234  9\n"},
		{30, "SLUG   NAME                  N\na      東京 and more tha…    1\nbcdef  x y [31m            234\n"},
		{20, "SLUG   NAME\na      東京 and mor…\nbcdef  x y [31m\n"},
	} {
		var out bytes.Buffer
		table := &table{to: screen{Writer: &out, width: tc.width}, columns: columns}
		if err := table.write(rows); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != tc.want {
			t.Errorf("%d columns:\n%s\nwant\n%s", tc.width, got, tc.want)
		}
	}
	// In parts: one heading, the same columns.
	var out bytes.Buffer
	parts := &table{to: screen{Writer: &out}, columns: columns}
	for _, row := range rows {
		if err := parts.write([][]cell{row}); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Count(out.String(), "SLUG") != 1 || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("%q", out.String())
	}
}
