package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"docket/commands"
	"docket/domain"
	"docket/internal/cli"

	"github.com/spf13/cobra"
)

func (p *program) tenantsCreateCommand() *cobra.Command {
	var n commands.NewTenant
	var owner string
	var asJSON bool
	c := &cobra.Command{
		Use:   "create",
		Short: "Create a tenant",
		Long: `Create a tenant whose owner is a registered user, as if that user had called
POST /v1/tenants: its registration is closed, and the owner adds the members. A tenant
always has an owner, so --owner is needed.

Exit status: 1 where the slug is taken, no user is registered with the address, or the
name or slug is invalid. A running server shows the tenant within seconds.`,
		Example: `  docket tenants create --name "Acme Ltd" --slug acme --owner ann@example.org
  docket tenants create --name Acme --slug acme --owner ann@example.org --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.createTenant(c, n, owner, asJSON) },
	}
	c.Flags().StringVar(&n.Name, "name", "", "the `name` that people see, 1 to 200 characters")
	c.Flags().StringVar(&n.Slug, "slug", "", "the `slug` in requests: 2 to 40 of a-z, 0-9 and inner hyphens; it can't be changed")
	c.Flags().StringVar(&owner, "owner", "", "the e-mail `address` of the registered user who becomes its owner")
	cli.JSONFlag(c, &asJSON, "one JSON object, as in tenants list")
	cli.RequireFlags(c, "name", "slug", "owner")
	return c
}

func (p *program) createTenant(c *cobra.Command, n commands.NewTenant, owner string, asJSON bool) error {
	return p.withDatabase(c, func(ctx context.Context, pools *pools) error {
		cmds, err := offlineCommands(pools)
		if err != nil {
			return err
		}
		user, found, err := cmds.UserByEmail(ctx, owner)
		if err != nil {
			return err
		}
		if !found {
			return cli.Refuse("--owner: no user is registered as %q", owner)
		}
		done, err := cmds.CreateTenant(ctx, user, commands.Origin{}, n)
		if err != nil {
			return refuseTenant(err)
		}
		if asJSON {
			return cli.WriteJSON(p.stdout, newTenantLine(done.State, done.Seq))
		}
		_, err = fmt.Fprintf(p.stdout, "created %s (%s); its owner is %s\n", done.State.Slug, done.State.ID, cli.Printable(owner))
		return err
	})
}

// refuseTenant makes a refusal of a command's refusal, with flags in place of members,
// and returns other errors as they are.
func refuseTenant(err error) error {
	var refused *domain.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code {
	case domain.CodeSlugTaken:
		return cli.Refuse("--slug: %s", refused.Detail)
	case domain.CodeValidationFailed:
		return cli.Refuse("%s", invalidFlags(refused))
	}
	return err
}

// invalidFlags says what is invalid, with flags in place of members.
func invalidFlags(refused *domain.Error) string {
	var problems []string
	for _, f := range refused.Fields {
		problems = append(problems, "--"+strings.TrimPrefix(f.Pointer, "/")+": "+f.Detail)
	}
	return strings.Join(problems, "; ")
}
