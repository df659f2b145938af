package main

import (
	"iter"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"pgregory.net/rapid"
)

// commandsOf are a command and all below it.
func commandsOf(c *cobra.Command) iter.Seq[*cobra.Command] {
	return func(yield func(*cobra.Command) bool) {
		if !yield(c) {
			return
		}
		for _, sub := range c.Commands() {
			for below := range commandsOf(sub) {
				if !yield(below) {
					return
				}
			}
		}
	}
}

// docketCall finds where an example calls the program.
var docketCall = regexp.MustCompile(`[ (]docket `)

// Every command shows examples, and they are of commands and flags that there are.
func TestEveryCommandHasExamplesThatHold(t *testing.T) {
	t.Parallel()
	root := (&program{}).root()
	for c := range commandsOf(root) {
		if c.Hidden {
			continue
		}
		if c.Example == "" || c.Short == "" {
			t.Errorf("%s: no example or no description", c.CommandPath())
		}
		shown := false
		for line := range strings.Lines(c.Example) {
			at := docketCall.FindStringIndex(line)
			if at == nil {
				continue
			}
			command, _, _ := strings.Cut(line[at[1]:], "|")
			words := strings.Fields(strings.Trim(command, ") \n"))
			of, rest, err := root.Find(words)
			if err != nil || (of != c && c.Runnable() && !c.HasSubCommands() && of.Name() != "help" && c.Name() != "help") {
				t.Errorf("%s: example %q is of %v, %v", c.CommandPath(), line, of, err)
				continue
			}
			shown = true
			for _, word := range rest {
				if name, is := strings.CutPrefix(word, "--"); is && of.Flag(name) == nil {
					t.Errorf("%s: %q has a flag that isn't there: %s", c.CommandPath(), line, word)
				}
			}
		}
		if !shown {
			t.Errorf("%s: no example calls docket", c.CommandPath())
		}
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		o := try(t, nil, args...)
		if o.status != statusDone || !strings.Contains(o.stdout, "Examples:\n"+c.Example) || strings.Contains(o.stdout, "\x1b") || o.stderr != "" {
			t.Errorf("%v: status %d, %q, %q", args, o.status, o.stdout, o.stderr)
		}
		help := try(t, nil, append([]string{"help"}, strings.Fields(c.CommandPath())[1:]...)...)
		if help.stdout != o.stdout {
			t.Errorf("help %s says something else than --help: %q", c.CommandPath(), help.stdout)
		}
	}
}

func TestUnknownCommands(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"sever":                   `unknown command "sever" for "docket" (did you mean serve?)`,
		"zzz":                     `unknown command "zzz" for "docket" (see docket --help)`,
		"help sever":              `unknown command "sever" for "docket" (did you mean serve?)`,
		"help tenants make":       `unknown command "make" for "docket tenants" (see docket tenants --help)`,
		"tenants crate":           `unknown command "crate" for "docket tenants" (did you mean create?)`,
		"tenants":                 "docket tenants: a command is needed (see docket tenants --help)",
		"config":                  "a command is needed",
		"completion":              "a command is needed",
		"completion csh":          `unknown command "csh" for "docket completion"`,
		"tenants list acme":       `unknown command "acme"`,
		"version --yaml":          "unknown flag: --yaml",
		"config check --tenant x": "unknown flag: --tenant",
	} {
		o := try(t, map[string]string{"HOME": t.TempDir()}, strings.Fields(args)...)
		o.refused(t, want)
		if o.stdout != "" || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: printed %q and %q", args, o.stdout, o.stderr)
		}
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a\tb  c": "a b c", "failed:\n\thost: refused\n\thost: refused\n": "failed: host: refused", "\n": "", "a\nb": "a b",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one two\nthree":                    "one two\nthree",
		"one two three four":                "one two\nthree four",
		"one\n\ntwo":                        "one\n\ntwo",
		"  a  one two three":                "  a  one\n     two\n     three",
		"  averylongword  x":                "  averylongword  x",
		"\tto be copied as it is":           "  to be copied as it is",
		"a para\ngraph\n  a list\nand more": "a para\ngraph\n  a list\nand more",
	} {
		if got := wrap(text, 10); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Nothing but white space is lost or added, and no line is too long that could be
// broken.
func TestWrapKeepsAllWords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`( {0,3}[a-zé]{1,12}( {1,3}[a-zé]{1,12}){0,6}\n{0,2}){0,6}`).Draw(t, "text")
		width := rapid.IntRange(1, 40).Draw(t, "width")
		got := wrap(text, width)
		if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(text), " ") {
			t.Fatalf("got %q", got)
		}
		for line := range strings.Lines(got) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > width && !strings.HasPrefix(line, " ") && strings.Contains(line, " ") {
				t.Fatalf("%q is wider than %d", line, width)
			}
		}
	})
}
