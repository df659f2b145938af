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
		Long: `Create a tenant whose owner is a registered user, as if that user had done it by
POST /v1/tenants: its registration is closed, and the owner adds the members. A tenant
is never without an owner, so --owner is needed.

The exit status is 1 where it can't be had: the slug is taken, nobody is registered
with the address, or the name or slug isn't one. A server that runs shows the tenant
within seconds.`,
		Example: `  docket tenants create --name "Acme Ltd" --slug acme --owner ann@example.org
  docket tenants create --name Acme --slug acme --owner ann@example.org --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.createTenant(c, n, owner, asJSON) },
	}
	c.Flags().StringVar(&n.Name, "name", "", "the `name` that people see, 1 to 200 characters")
	c.Flags().StringVar(&n.Slug, "slug", "", "the `slug` that requests name it by: 2 to 40 of a-z, 0-9 and inner hyphens; it stays")
	c.Flags().StringVar(&owner, "owner", "", "the e-mail `address` of the registered user who becomes its owner")
	cli.JSONFlag(c, &asJSON, "one JSON object, as in tenants list")
	cli.RequireFlags(c, "name", "slug", "owner")
	return c
}

func (p *program) createTenant(c *cobra.Command, n commands.NewTenant, owner string, asJSON bool) error {
	return p.beside(c, func(ctx context.Context, pools *pools) error {
		cmds, err := commandsBeside(pools)
		if err != nil {
			return err
		}
		user, found, err := cmds.UserByEmail(ctx, owner)
		if err != nil {
			return err
		}
		if !found {
			return cli.Refuse("--owner: nobody is registered as %q", owner)
		}
		done, err := cmds.CreateTenant(ctx, user, commands.Origin{}, n)
		if err != nil {
			return refuseTenant(err)
		}
		if asJSON {
			return cli.WriteJSON(p.stdout, lineOf(done.State, done.Seq))
		}
		_, err = fmt.Fprintf(p.stdout, "created %s (%s); its owner is %s\n", done.State.Slug, done.State.ID, cli.Printable(owner))
		return err
	})
}

// refuseTenant makes a refusal of what the command said no to, with flags where a
// request has members; other errors stay.
func refuseTenant(err error) error {
	var refused *domain.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code {
	case domain.CodeSlugTaken:
		return cli.Refuse("--slug: %s", refused.Detail)
	case domain.CodeValidationFailed:
		return cli.Refuse("%s", wrongFlags(refused))
	}
	return err
}

// wrongFlags is what was wrong where, with flags for members.
func wrongFlags(refused *domain.Error) string {
	var wrong []string
	for _, f := range refused.Fields {
		wrong = append(wrong, "--"+strings.TrimPrefix(f.Pointer, "/")+": "+f.Detail)
	}
	return strings.Join(wrong, "; ")
}
