package main

import (
	"bufio"
	"context"
	"strings"
	"time"

	"docket/domain"
	"docket/projections"

	"github.com/spf13/cobra"
)

func (p *program) projectionsCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "projections", Short: "The read models and the other subscriptions",
		Example: `  docket projections list
  docket projections verify
  docket projections rebuild`,
	}, p.projectionsListCommand(), p.skipCommand(), p.resumeCommand(), p.rebuildCommand(), p.verifyCommand())
}

func (p *program) rebuildCommand() *cobra.Command {
	var models, tenants []string
	var asJSON, dryRun bool
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Make read models anew from the events",
		Long: `Make read models anew from the events, the activity log among them: all of them
for all tenants, or those that are named. The API goes on answering from the old
rows until the new ones take their place. One that fails keeps its old rows, and the
others go on; so does one whose log holds what only a newer docket can read. What was
interrupted goes on where it stopped when the command is given again.

With --json there is a line for each read model of each tenant that is done or
failed, and at the end one with the totals.

With --dry-run nothing is changed: it tells how many rows would be added, removed and
altered, and shows some of them by column. That takes as long as the rebuild.

Read models: ` + strings.Join(projections.Models(), ", ") + ".",
		Example: `  docket projections rebuild
  docket projections rebuild --projection tasks --tenant default --tenant acme
  docket projections rebuild --projection tasks --dry-run
  docket projections rebuild --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkModels(models); err != nil {
				return err
			}
			if dryRun {
				r := &rehearsal{out: bufio.NewWriter(p.stdout), failures: p.stderr, json: asJSON}
				return p.compare(c, models, tenants, 1, r.with(), r)
			}
			return p.rebuild(c, models, tenants, asJSON)
		},
	}
	c.Flags().StringArrayVar(&models, "projection", nil, "a read `model`; may be repeated")
	c.Flags().StringArrayVar(&tenants, "tenant", nil, "a `tenant`'s slug or id; may be repeated")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "tell what would change, and change nothing")
	jsonFlag(c, &asJSON, "one JSON object for each read model, and one with the totals")
	completeFlag(c, "tenant", p.completeTenants)
	completeFlag(c, "projection", completeModels)
	return c
}

func (p *program) rebuild(c *cobra.Command, models, tenants []string, asJSON bool) error {
	return p.beside(c, func(ctx context.Context, pools *pools) error {
		var chosen []domain.TenantID
		for _, name := range tenants {
			id, err := findTenant(ctx, pools, name)
			if err != nil {
				return err
			}
			chosen = append(chosen, id)
		}
		told := &progress{
			to: p.stdout, failures: p.stderr, json: asJSON, began: time.Now(), last: time.Now(),
			names: &tenantNames{ctx: ctx, queries: projections.NewQueries(pools.API, nil)},
		}
		err := projections.NewRebuilder(pools.Engine).Rebuild(ctx, chosen, models, told.tell)
		if err != nil && (ctx.Err() != nil || told.failed == 0) {
			return err
		}
		return told.end()
	})
}
