package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// tryCompletion says for each shell how to load its script; %s is the program.
var tryCompletion = map[string]string{
	"bash":       "source <(%s completion bash)",
	"zsh":        "source <(%s completion zsh)",
	"fish":       "%s completion fish | source",
	"powershell": "%s completion powershell | Out-String | Invoke-Expression",
}

// addCompletion adds Cobra's completion command, visibly, and keeps shells from
// offering file names, which no command takes.
func addCompletion(root *cobra.Command, about string) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		Group(c)
		c.Short = fmt.Sprintf("Print what makes a shell complete %s's commands", root.Name())
		c.Long = about
		c.Example = "  " + fmt.Sprintf(tryCompletion["bash"], root.Name())
		for _, shell := range c.Commands() {
			shell.Short = "The script for " + shell.Name()
			shell.Example = "  " + fmt.Sprintf(tryCompletion[shell.Name()], root.Name())
		}
	}
	noFiles(root)
}

// noFiles makes arguments, and values of flags without a completion of their own,
// complete to nothing.
func noFiles(c *cobra.Command) {
	if c.ValidArgsFunction == nil {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if _, has := c.GetFlagCompletionFunc(f.Name); !has {
			CompleteFlag(c, f.Name, cobra.NoFileCompletions)
		}
	})
	for _, sub := range c.Commands() {
		noFiles(sub)
	}
}

// CompleteFlag sets the completion of a flag, which must exist and have none yet.
func CompleteFlag(c *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(fmt.Sprintf("completion of %s --%s: %v", c.CommandPath(), flag, err))
	}
}

// CompleteWith completes a flag to one of some words.
func CompleteWith(c *cobra.Command, flag string, words ...string) {
	CompleteFlag(c, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// CompleteDirectory completes a flag to a directory.
func CompleteDirectory(c *cobra.Command, flag string) {
	CompleteFlag(c, flag, func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}
