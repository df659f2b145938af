package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"docket/domain"
	"docket/internal/postgres"
	"docket/projections"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Limits of an answer to somebody who presses Tab.
const (
	completionBound = 2 * time.Second
	completionMost  = 50
)

// completionScript says for each shell how its script is tried out.
var completionScript = map[string]string{
	"bash":       "source <(docket completion bash)",
	"zsh":        "source <(docket completion zsh)",
	"fish":       "docket completion fish | source",
	"powershell": "docket completion powershell | Out-String | Invoke-Expression",
}

// addCompletion adds Cobra's completion command, visible since it is how one gets
// the scripts, and completes files only where a file is wanted: nowhere.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		group(c)
		c.Short = "Print what makes a shell complete docket's commands"
		c.Long = `Print a script that makes a shell complete docket's commands, flags, and the names of
tenants and read models. The help of each shell's command says where to keep it.

Tenants are asked of DATABASE_URL or of the Postgres of a running server; nothing is
started for it.`
		c.Example = "  " + completionScript["bash"]
		for _, shell := range c.Commands() {
			shell.Short = "The script for " + shell.Name()
			shell.Example = "  " + completionScript[shell.Name()]
		}
	}
	noFiles(root)
	completeFlag(root, "log-format", cobra.FixedCompletions([]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(root, "data-dir", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
}

// noFiles keeps shells from offering file names for arguments and for the values
// of flags that have no completion of their own.
func noFiles(c *cobra.Command) {
	if c.ValidArgsFunction == nil {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if _, has := c.GetFlagCompletionFunc(f.Name); !has {
			completeFlag(c, f.Name, cobra.NoFileCompletions)
		}
	})
	for _, sub := range c.Commands() {
		noFiles(sub)
	}
}

// completeFlag gives a flag, which is there and has none yet, its completion.
func completeFlag(c *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(fmt.Sprintf("completion of %s --%s: %v", c.CommandPath(), flag, err))
	}
}

// completeModels offers the read models that were not named yet.
func completeModels(c *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	named, _ := c.Flags().GetStringArray("projection")
	var found []cobra.Completion
	for _, m := range projections.Models() {
		if strings.HasPrefix(m, start) && !slices.Contains(named, m) {
			found = append(found, m)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeTenants offers slugs. Whatever goes wrong, it offers none: nobody who
// presses Tab wants an error.
func (p *program) completeTenants(c *cobra.Command, _ []string, start string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completionBound)
	defer cancel()
	slugs, err := p.slugs(ctx, c, start)
	if err != nil {
		cobra.CompDebugln(err.Error(), false) // to BASH_COMP_DEBUG_FILE, where one is set
	}
	return slugs, cobra.ShellCompDirectiveNoFileComp
}

// slugs asks a database that is there, and starts none.
func (p *program) slugs(ctx context.Context, c *cobra.Command, start string) ([]string, error) {
	s, err := p.settings(c)
	if err != nil {
		return nil, err
	}
	url := givenDatabase(s).API
	if url == "" {
		running, ok := postgres.Running(s.DataDir)
		if !ok {
			return nil, nil
		}
		url = running.URL(postgres.APILogin, postgres.Database)
	}
	pool, err := postgres.Pool(ctx, url, postgres.PoolConfig{Role: postgres.APIRole, MaxConns: 1, AppName: "docket completion"})
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	return projections.NewQueries(pool, nil).Slugs(ctx, domain.Operate(domain.Platform), start, completionMost)
}
