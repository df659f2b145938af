package main

import (
	"context"
	"docket/projections/rebuild"
	"fmt"
	"os"
	"slices"

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

// selection is which read models of which tenants a command works on, and how.
type selection struct {
	models    []string
	tenants   []string
	workers   int
	fullSpeed bool
	json      bool
}

func (s *selection) flags(c *cobra.Command, p *program) {
	c.Flags().StringArrayVar(&s.models, "projection", nil, "a read `model`; may be repeated")
	c.Flags().StringArrayVar(&s.tenants, "tenant", nil, "a `tenant`'s slug or id; may be repeated")
	c.Flags().IntVar(&s.workers, "workers", 1, "how many tenants at a time")
	c.Flags().BoolVar(&s.fullSpeed, "full-speed", false, "don't throttle the work to keep the API quick")
	cli.CompleteFlag(c, "tenant", p.completeTenants)
	cli.CompleteFlag(c, "projection", completeModels)
}

// check refuses wrong flags before the command connects to a database.
func (s *selection) check() error {
	for _, m := range s.models {
		if !slices.Contains(projections.Models(), m) {
			return fmt.Errorf("--projection %q: %w", m, &rebuild.UnknownModelError{Name: m})
		}
	}
	if s.workers < 1 || s.workers > rebuild.MaxWorkers {
		return fmt.Errorf("--workers must be 1 to %d", rebuild.MaxWorkers)
	}
	return nil
}

// conns is the number of connections that the command may open.
func (s *selection) conns() int32 { return int32(s.workers*rebuild.ConnsPerWorker + 1) }

// tenantIDs finds the tenants that are named, each once; nil where none is.
func (s *selection) tenantIDs(ctx context.Context, pools *pools) ([]domain.TenantID, error) {
	var ids []domain.TenantID
	for _, name := range s.tenants {
		id, err := findTenant(ctx, pools, name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (s *selection) rebuilder(p *program, c *cobra.Command, pools *pools) *rebuild.Rebuilder {
	r := rebuild.New(pools.Engine)
	r.Workers, r.FullSpeed, r.By = s.workers, s.fullSpeed, p.processName(c)
	return r
}

// processName names this process for other operators: its user, host and command.
func (p *program) processName(c *cobra.Command) string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	user := p.operator()
	if user == "" {
		user = "somebody"
	}
	return fmt.Sprintf("%s on %s (%s, process %d)", user, host, c.CommandPath(), os.Getpid())
}

// operator is the login of the program's user, or of the user that called sudo; empty if
// the environment doesn't say.
func (p *program) operator() string {
	for _, name := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		if login := p.environ[name]; login != "" {
			return login
		}
	}
	return ""
}
