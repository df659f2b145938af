package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"docket/domain"
	"docket/internal/cli"
	"docket/projections"

	"github.com/spf13/cobra"
)

func (p *program) projectionsCommand() *cobra.Command {
	return cli.Group(&cobra.Command{
		Use: "projections", Short: "The read models and the other subscriptions",
		Example: `  docket projections list
  docket projections verify
  docket projections rebuild`,
	}, p.projectionsListCommand(), p.skipCommand(), p.resumeCommand(), p.rebuildCommand(), p.verifyCommand())
}

func (p *program) rebuildCommand() *cobra.Command {
	var (
		r      rebuilding
		dryRun bool
	)
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Make read models anew from the events",
		Long: `Make read models anew from the events, the activity log among them: all of them
for all tenants, or those that are named. The API goes on answering from the old
rows until the new ones take their place. One that fails keeps its old rows, and the
others go on; so does one whose log holds what only a newer docket can read. What was
interrupted goes on where it stopped when the command is given again; what somebody
else rebuilds just now is refused, with who that is.

A terminal shows a bar; elsewhere there is a line for each read model of each tenant
and one every few seconds, with the events, the rate, the time left and the tenant in
hand. With --json there is a line for each read model of each tenant that is done or
failed, and at the end one with the totals.

It gives way to those who use the API: it writes one read model of a tenant at a time,
and pauses in between. --full-speed does neither, for when nobody uses it. More --workers
rebuild more tenants at a time, and take more of the machine too: each four connections
at most, so beside a server on the private Postgres, which has 100, no more than 6.

Exit status: 0 all is rebuilt; 1 it is, and of some the old rows couldn't be deleted,
which nobody sees, and which a running server deletes, or the next rebuild; 2 something
couldn't be rebuilt.

With --dry-run nothing is changed: it tells how many rows would be added, removed and
altered, and shows some of them by column. That takes as long as the rebuild. Of a read
model that is behind or parked it tells as far as that has come, and says so; the
rebuild goes on to the end of the log.

Read models: ` + strings.Join(projections.Models(), ", ") + ".",
		Example: `  docket projections rebuild
  docket projections rebuild --projection tasks --tenant default --tenant acme
  docket projections rebuild --projection tasks --dry-run
  docket projections rebuild --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dryRun {
				to := &rehearsal{out: bufio.NewWriter(p.stdout), failures: p.stderr, json: r.json}
				return p.compare(c, r, to.with(), to)
			}
			return p.rebuild(c, r)
		},
	}
	r.flags(c, p)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "tell what would change, and change nothing")
	cli.JSONFlag(c, &r.json, "one JSON object for each read model, and one with the totals")
	return c
}

// rebuilding is which read models of which tenants a command is about, and how.
type rebuilding struct {
	models  []string
	tenants []string
	workers int
	full    bool
	json    bool
}

func (r *rebuilding) flags(c *cobra.Command, p *program) {
	c.Flags().StringArrayVar(&r.models, "projection", nil, "a read `model`; may be repeated")
	c.Flags().StringArrayVar(&r.tenants, "tenant", nil, "a `tenant`'s slug or id; may be repeated")
	c.Flags().IntVar(&r.workers, "workers", 1, "how many tenants at a time")
	c.Flags().BoolVar(&r.full, "full-speed", false, "don't give way to those who use the API")
	cli.CompleteFlag(c, "tenant", p.completeTenants)
	cli.CompleteFlag(c, "projection", completeModels)
}

// check refuses what can't be before anything is connected to.
func (r *rebuilding) check() error {
	for _, m := range r.models {
		if !slices.Contains(projections.Models(), m) {
			return fmt.Errorf("--projection %q: %w", m, &projections.UnknownModelError{Name: m})
		}
	}
	if r.workers < 1 || r.workers > projections.MaxWorkers {
		return fmt.Errorf("--workers must be 1 to %d", projections.MaxWorkers)
	}
	return nil
}

// conns is how many connections it takes.
func (r *rebuilding) conns() int32 { return int32(r.workers*projections.ConnsPerWorker + 1) }

// chosen finds the tenants, each once, also where one is named by its slug and its id; nil
// where none is named.
func (r *rebuilding) chosen(ctx context.Context, pools *pools) ([]domain.TenantID, error) {
	var chosen []domain.TenantID
	for _, name := range r.tenants {
		id, err := findTenant(ctx, pools, name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(chosen, id) {
			chosen = append(chosen, id)
		}
	}
	return chosen, nil
}

// rebuilder makes the rebuilder for it.
func (r *rebuilding) rebuilder(p *program, c *cobra.Command, pools *pools) *projections.Rebuilder {
	rebuilder := projections.NewRebuilder(pools.Engine)
	rebuilder.Workers, rebuilder.FullSpeed, rebuilder.By = r.workers, r.full, p.whoRuns(c)
	return rebuilder
}

// whoRuns names this process for those who find it at work.
func (p *program) whoRuns(c *cobra.Command) string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	who := p.account()
	if who == "" {
		who = "somebody"
	}
	return fmt.Sprintf("%s on %s (%s, process %d)", who, host, c.CommandPath(), os.Getpid())
}

func (p *program) rebuild(c *cobra.Command, r rebuilding) error {
	if err := r.check(); err != nil {
		return err
	}
	return p.besideWith(c, r.conns(), func(ctx context.Context, pools *pools) error {
		chosen, err := r.chosen(ctx, pools)
		if err != nil {
			return err
		}
		rebuilder := r.rebuilder(p, c, pools)
		told, err := p.newProgress(ctx, rebuilder, chosen, r, &tenantNames{ctx: ctx, queries: projections.NewQueries(pools.API, nil)})
		if err != nil {
			return err
		}
		err = rebuilder.Rebuild(ctx, chosen, r.models, told.tell)
		var gone *projections.UnreachableError
		if errors.As(err, &gone) {
			told.bar.Close()
			return fmt.Errorf("given again, it goes on: %w", gone)
		}
		if err != nil && (ctx.Err() != nil || told.failed+told.left == 0) {
			told.bar.Close()
			return err
		}
		return told.end()
	})
}
