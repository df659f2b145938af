package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"docket/domain"
	"docket/projections"

	"github.com/spf13/cobra"
)

func (p *program) projectionsCommand() *cobra.Command {
	return group(&cobra.Command{Use: "projections", Short: "The read models"}, p.rebuildCommand())
}

func (p *program) rebuildCommand() *cobra.Command {
	var models, tenants []string
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Make read models anew from the events",
		Long: `Make read models anew from the events, the activity log among them: all of them
for all tenants, or those that are named. The API goes on answering from the old
rows until the new ones take their place. One that fails keeps its old rows, and the
others go on. What was interrupted goes on where it stopped when the command is
given again.

Read models: ` + strings.Join(projections.Models(), ", ") + ".",
		Example: `  docket projections rebuild
  docket projections rebuild --projection tasks --tenant default --tenant acme`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, m := range models {
				if !slices.Contains(projections.Models(), m) {
					return fmt.Errorf("--projection %q: %w", m, &projections.UnknownModelError{Name: m})
				}
			}
			return p.rebuild(c, models, tenants)
		},
	}
	c.Flags().StringArrayVar(&models, "projection", nil, "a read model; may be repeated")
	c.Flags().StringArrayVar(&tenants, "tenant", nil, "a tenant's slug or id; may be repeated")
	return c
}

func (p *program) rebuild(c *cobra.Command, models, tenants []string) error {
	return p.beside(c, func(ctx context.Context, pools *pools) error {
		var chosen []domain.TenantID
		for _, name := range tenants {
			id, err := findTenant(ctx, pools, name)
			if err != nil {
				return err
			}
			chosen = append(chosen, id)
		}
		names, err := tenantNames(ctx, pools)
		if err != nil {
			return err
		}
		told := &progress{to: p.stdout, failures: p.stderr, names: names, began: time.Now(), last: time.Now()}
		err = projections.NewRebuilder(pools.Engine).Rebuild(ctx, chosen, models, told.tell)
		if err != nil && (ctx.Err() != nil || told.failed == 0) {
			return err
		}
		return told.end()
	})
}

// progressEvery is how often a long rebuild says that it is alive.
const progressEvery = 2 * time.Second

// progress writes a line for each read model that is done or failed, and from time
// to time one for the model in hand.
type progress struct {
	to       io.Writer
	failures io.Writer
	names    map[domain.TenantID]string
	began    time.Time
	last     time.Time
	done     int
	failed   int
	total    int64
}

func (p *progress) tell(now projections.Progress) {
	switch {
	case now.Err != nil:
		p.failed++
		why := now.Err
		var failure *projections.RebuildError
		if errors.As(why, &failure) {
			why = failure.Cause
		}
		fmt.Fprintf(p.failures, "%s  %s  failed, the old rows are read on: %s\n", p.name(now.Tenant), now.Model, oneLine(why.Error()))
	case now.Done:
		p.done++
		p.total += now.Seq
		fmt.Fprintf(p.to, "%s  %s  done: %d events\n", p.name(now.Tenant), now.Model, now.Seq)
	case time.Since(p.last) < progressEvery:
		return
	default:
		fmt.Fprintf(p.to, "%s  %s  %d of %d events\n", p.name(now.Tenant), now.Model, now.Seq, now.Head)
	}
	p.last = time.Now()
}

func (p *progress) name(t domain.TenantID) string {
	if name, ok := p.names[t]; ok {
		return name
	}
	return t.String()
}

func (p *progress) end() error {
	took := time.Since(p.began)
	_, err := fmt.Fprintf(p.to, "rebuilt %d read models from %d events in %s\n", p.done, p.total, took.Round(time.Millisecond))
	if err == nil && p.failed > 0 {
		err = fmt.Errorf("%d read models couldn't be rebuilt", p.failed)
	}
	return err
}
