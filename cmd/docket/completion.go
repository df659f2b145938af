package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"docket/domain"
	"docket/internal/postgres"
	"docket/projections"

	"github.com/spf13/cobra"
)

// Limits of the completion of a tenant.
const (
	completionTimeout = 2 * time.Second
	maxCompletions    = 50
)

const aboutCompletion = `Print a script that makes a shell complete docket's commands, flags, and the names of
tenants and read models. The help of each shell's command says where to keep it.

The tenants come from DATABASE_URL or from the Postgres of a running server; completion
starts nothing.`

// completeModels offers the read models that the command line does not name yet.
func completeModels(c *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	named, _ := c.Flags().GetStringArray("projection")
	var found []cobra.Completion
	for _, m := range projections.Models() {
		if strings.HasPrefix(m, prefix) && !slices.Contains(named, m) {
			found = append(found, m)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeTenants offers slugs, and none where they cannot be read: a shell would
// print the error into the command line.
func (p *program) completeTenants(c *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completionTimeout)
	defer cancel()
	slugs, err := p.slugs(ctx, c, prefix)
	if err != nil {
		cobra.CompDebugln(err.Error(), false) // to BASH_COMP_DEBUG_FILE, where that is set
	}
	return slugs, cobra.ShellCompDirectiveNoFileComp
}

// slugs reads the slugs with a prefix from a running database; it starts none.
func (p *program) slugs(ctx context.Context, c *cobra.Command, prefix string) ([]string, error) {
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
	return projections.NewQueries(pool, nil).Slugs(ctx, domain.Operate(domain.Platform), prefix, maxCompletions)
}
