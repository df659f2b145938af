package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Widths of a help text, in columns: on a terminal its width, within these
// bounds; elsewhere helpWidth.
const (
	helpWidth   = 90
	leastHelp   = 40
	helpPadding = 3
)

// helpCommand is "docket help …". Cobra's own prints the usage of all for what
// it doesn't know, and ends well.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [command]",
		Short:   "Help about a command",
		Example: "  docket help tenants create",
		ValidArgsFunction: func(c *cobra.Command, args []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var found []cobra.Completion
			of, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			for _, sub := range of.Commands() {
				if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), start) {
					found = append(found, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return found, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			of, rest, err := c.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownCommand(of, rest[0])
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}

// help writes the help text of a command. It is Cobra's, but it fits the terminal.
func (p *program) help(c *cobra.Command) {
	s := p.screen()
	width := helpWidth
	if s.width > 0 {
		width = max(min(s.width, helpWidth), leastHelp)
	}
	var out strings.Builder
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	out.WriteString(wrap(strings.TrimSpace(about), width) + "\n")
	section := func(title, text string) {
		out.WriteString("\n" + s.paint(bold, title+":") + "\n" + strings.TrimRight(text, "\n") + "\n")
	}
	usage := "  " + c.UseLine()
	if c.HasAvailableSubCommands() {
		usage = "  " + c.CommandPath() + " command"
	}
	section("Usage", usage)
	if c.HasExample() {
		section("Examples", c.Example)
	}
	if c.HasAvailableSubCommands() {
		section("Commands", commandList(c, width))
	}
	for _, flags := range []struct {
		title string
		set   *pflag.FlagSet
	}{{"Flags", c.LocalFlags()}, {"Flags of every command", c.InheritedFlags()}} {
		if flags.set.HasAvailableFlags() {
			section(flags.title, flags.set.FlagUsagesWrapped(width))
		}
	}
	if c.HasAvailableSubCommands() {
		out.WriteString("\n" + wrap(fmt.Sprintf("%s command --help says more about a command.", c.CommandPath()), width) + "\n")
	}
	fmt.Fprint(p.stdout, out.String()) // a reader who went away wants no more of it
}

// commandList is a line for each command below c.
func commandList(c *cobra.Command, width int) string {
	longest := 0
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			longest = max(longest, len(sub.Name()))
		}
	}
	var out strings.Builder
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			out.WriteString(wrap(fmt.Sprintf("  %-*s%s", longest+helpPadding, sub.Name(), sub.Short), width) + "\n")
		}
	}
	return out.String()
}

// wrap breaks the lines of a text at a width. Lines that begin at the margin are a
// paragraph until the next empty one and flow together. An indented line stands by
// itself; what doesn't fit goes on below its last column, which is set off by two
// spaces or more.
func wrap(text string, width int) string {
	var out, paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			out = append(out, fill(strings.Join(paragraph, " "), 0, width))
			paragraph = nil
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "\t"):
			flush()
			out = append(out, "  "+line[1:])
		case strings.HasPrefix(line, " "):
			flush()
			out = append(out, fill(line, lastColumn(line), width))
		case line == "":
			flush()
			out = append(out, "")
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return strings.Join(out, "\n")
}

// lastColumn is where the last column of an indented line begins.
func lastColumn(line string) int {
	text := strings.TrimLeft(line, " ")
	at := len(line) - len(text)
	if i := strings.LastIndex(text, "  "); i >= 0 {
		at += i + 2
	}
	return at
}

// fill breaks one line between words; those after the first begin at indent. What
// stands before indent is never broken.
func fill(line string, indent, width int) string {
	head, words := line[:indent], strings.Fields(line[indent:])
	var out strings.Builder
	out.WriteString(head)
	at := utf8.RuneCountInString(head)
	for i, w := range words {
		n := utf8.RuneCountInString(w)
		switch {
		case i == 0:
		case at+1+n > width:
			out.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			out.WriteString(" ")
			at++
		}
		out.WriteString(w)
		at += n
	}
	return out.String()
}
