package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Setup completes the root of a program whose commands are all added: where it
// writes, its help, its completion (about is a paragraph on it) and that Run, not
// Cobra, prints errors. Without a command the program prints its help.
func Setup(root *cobra.Command, screen Screen, stderr io.Writer, about string) {
	root.SilenceErrors, root.SilenceUsage = true, true
	// Before the completion commands, which keep the output they find.
	root.SetOut(screen.Writer)
	root.SetErr(stderr)
	root.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	root.SetHelpCommand(helpCommand(root))
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { writeHelp(c, screen) })
	addCompletion(root, about)
}

// Group makes c a command that only holds others.
func Group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(c, args[0])
		}
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		// The flag is one of the command that was meant: its name is what is wrong.
		if names := c.Flags().Args(); c.HasSubCommands() && len(names) > 0 {
			return unknownCommand(c, names[0])
		}
		return err
	})
	c.RunE = func(c *cobra.Command, _ []string) error {
		return fmt.Errorf("%s: a command is needed (see %s --help)", c.CommandPath(), c.CommandPath())
	}
	c.AddCommand(commands...)
	return c
}

// unknownCommand is the error for a name that is no command of a group.
func unknownCommand(group *cobra.Command, name string) error {
	problem := fmt.Sprintf("unknown command %q for %q", name, group.CommandPath())
	if similar := group.SuggestionsFor(name); len(similar) > 0 {
		return fmt.Errorf("%s (did you mean %s?)", problem, strings.Join(similar, " or "))
	}
	return fmt.Errorf("%s (see %s --help)", problem, group.CommandPath())
}

// JSONFlag adds --json to a command.
func JSONFlag(c *cobra.Command, to *bool, usage string) {
	c.Flags().BoolVar(to, "json", false, usage)
}

// RequireFlags marks flags of c that must be given.
func RequireFlags(c *cobra.Command, names ...string) {
	for _, name := range names {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(fmt.Sprintf("%s --%s: %v", c.CommandPath(), name, err)) // there is no such flag
		}
	}
}
