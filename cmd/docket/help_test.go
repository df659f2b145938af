package main

import (
	"iter"
	"regexp"
	"strings"
	"testing"

	"docket/internal/cli"

	"github.com/spf13/cobra"
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

// Every command has examples, of commands and flags that exist.
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
					t.Errorf("%s: %q has an unknown flag: %s", c.CommandPath(), line, word)
				}
			}
		}
		if !shown {
			t.Errorf("%s: no example calls docket", c.CommandPath())
		}
		args := append(strings.Fields(c.CommandPath())[1:], "--help")
		o := try(t, nil, args...)
		if o.status != cli.StatusDone || !strings.Contains(o.stdout, "Examples:\n"+c.Example) || strings.Contains(o.stdout, "\x1b") || o.stderr != "" {
			t.Errorf("%v: status %d, %q, %q", args, o.status, o.stdout, o.stderr)
		}
		help := try(t, nil, append([]string{"help"}, strings.Fields(c.CommandPath())[1:]...)...)
		if help.stdout != o.stdout {
			t.Errorf("help %s differs from --help: %q", c.CommandPath(), help.stdout)
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
		"audit reply --tenant x":  `unknown command "reply" for "docket audit" (did you mean replay?)`,
		"audit reply -t x":        `unknown command "reply" for "docket audit" (did you mean replay?)`,
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
