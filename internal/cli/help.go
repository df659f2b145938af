package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Widths of a help text, in columns: the terminal's, from minHelp to maxHelp;
// without a terminal maxHelp.
const (
	maxHelp     = 90
	minHelp     = 40
	helpPadding = 3
)

// helpCommand is "help …". Unlike Cobra's own it fails for an unknown command.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:               "help [command]",
		Short:             "Help about a command",
		Example:           fmt.Sprintf("  %s help %s", root.Name(), root.Commands()[0].Name()),
		ValidArgsFunction: completeCommands,
		RunE: func(c *cobra.Command, args []string) error {
			found, rest, err := c.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownCommand(found, rest[0])
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// completeCommands offers the commands below the one that args name.
func completeCommands(c *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	parent, rest, err := c.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []cobra.Completion
	for _, sub := range parent.Commands() {
		if sub.IsAvailableCommand() && strings.HasPrefix(sub.Name(), prefix) {
			found = append(found, cobra.CompletionWithDesc(sub.Name(), sub.Short))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// writeHelp writes the help text of a command: Cobra's, wrapped to fit the screen.
func writeHelp(c *cobra.Command, s Screen) {
	width := maxHelp
	if s.Width > 0 {
		width = max(min(s.Width, maxHelp), minHelp)
	}
	var out strings.Builder
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	out.WriteString(wrap(strings.TrimSpace(about), width) + "\n")
	section := func(title, text string) {
		out.WriteString("\n" + s.Paint(Bold, title+":") + "\n" + strings.TrimRight(text, "\n") + "\n")
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
		out.WriteString("\n" + wrap(c.CommandPath()+" command --help says more about a command.", width) + "\n")
	}
	_, _ = s.Write([]byte(out.String())) // a reader that has closed its end wants no more of it
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
