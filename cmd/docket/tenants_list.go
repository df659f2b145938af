package main

import (
	"bufio"
	"context"
	"errors"
	"strconv"

	"docket/domain"
	"docket/internal/cli"
	"docket/projections"

	"github.com/spf13/cobra"
)

// tenantsPage is the number of tenants that are read, and are in memory, at a time.
const tenantsPage = 200

func (p *program) tenantsListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List all tenants",
		Long: `List all tenants by slug: name, id, whether any user may register, the number of
events, and when it was created (UTC). A narrow terminal drops columns; with --json
each tenant is one line with everything.

The list comes from the log itself and is never behind.`,
		Example: `  docket tenants list
  docket tenants list --json | jq -r .slug`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.listTenants(c, asJSON) },
	}
	cli.JSONFlag(c, &asJSON, "one JSON object a tenant")
	return c
}

func (p *program) listTenants(c *cobra.Command, asJSON bool) error {
	return p.withDatabase(c, func(ctx context.Context, pools *pools) error {
		s := p.screen()
		out := bufio.NewWriter(s.Writer)
		s.Writer = out
		write := tenantsTable(s)
		if asJSON {
			write = func(page []projections.Listed) error {
				for _, l := range page {
					if err := cli.WriteJSON(out, newTenantLine(l.Tenant, l.Head)); err != nil {
						return err
					}
				}
				return nil
			}
		}
		err := eachTenantsPage(ctx, projections.NewQueries(pools.API, nil), write)
		return errors.Join(err, out.Flush())
	})
}

// eachTenantsPage reads all tenants, a page at a time. It writes at least one page,
// which may be empty.
func eachTenantsPage(ctx context.Context, q *projections.Queries, write func([]projections.Listed) error) error {
	after := ""
	for {
		page, more, err := q.Tenants(ctx, domain.Operate(domain.Platform), after, tenantsPage)
		if err != nil {
			return err
		}
		if err := write(page); err != nil || !more {
			return err
		}
		after = page[len(page)-1].Tenant.Slug
	}
}

// tenantsTable writes pages for people.
func tenantsTable(s cli.Screen) func([]projections.Listed) error {
	t := &cli.Table{Screen: s, Columns: []cli.Column{
		{Title: "SLUG"}, {Title: "NAME", Cut: true}, {Title: "ID", Drop: 4}, {Title: "REGISTRATION", Drop: 1},
		{Title: "EVENTS", Right: true, Drop: 2}, {Title: "CREATED", Drop: 3},
	}}
	return func(page []projections.Listed) error {
		rows := make([][]cli.Cell, 0, len(page))
		for _, l := range page {
			registration := cli.Cell{Text: string(l.Tenant.Registration)}
			if l.Tenant.AwaitsFounder {
				registration = cli.Cell{Text: registration.Text + ", no owner yet", Style: cli.Yellow}
			}
			rows = append(rows, []cli.Cell{
				{Text: l.Tenant.Slug}, {Text: l.Tenant.Name}, {Text: l.Tenant.ID.String()}, registration,
				{Text: strconv.FormatInt(l.Head, 10)}, {Text: l.Tenant.CreatedAt.UTC().Format("2006-01-02 15:04")},
			})
		}
		return t.Write(rows)
	}
}
