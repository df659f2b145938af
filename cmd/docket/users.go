package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"docket/accounts"
	"docket/commands"
	"docket/domain"
	"docket/eventstore"
	"docket/internal/cli"

	"github.com/spf13/cobra"
)

func (p *program) usersCommand() *cobra.Command {
	return cli.Group(&cobra.Command{
		Use: "users", Short: "The users' accounts",
		Long: `Accounts of users, beside a running server or without one: to begin an installation
that takes no registrations, and to let somebody in whom no mail reaches.`,
		Example: `  docket users create --email ann@example.org --name "Ann Lee"
  docket users reset-link ann@example.org
  docket users disable ann@example.org`,
	}, p.usersCreateCommand(), p.usersResetLinkCommand(),
		p.usersChangeCommand("disable", "disabled", "Keep a user out",
			`Disable the account of a user: all its sessions end within a second, no mail goes to it,
and a login is answered as with a wrong password. Memberships, tasks and comments stay.`, (*accounts.Passwords).Disable),
		p.usersChangeCommand("enable", "enabled", "Let a disabled user in again",
			`Enable the account of a user. The password is the one of before.`, (*accounts.Passwords).Enable))
}

func (p *program) usersCreateCommand() *cobra.Command {
	var email, name string
	c := &cobra.Command{
		Use:   "create",
		Short: "Register a user",
		Long: `Register a user, whatever DOCKET_REGISTRATION says, who is a member of no tenant, and
print a link with which that user chooses a password. It is valid once, for 24 hours, and
begins with DOCKET_PUBLIC_URL; without that it is the token alone, for
POST /v1/auth/password/reset.

Exit status: 1 where another user has the address, or the address or name is invalid.`,
		Example: `  docket users create --email ann@example.org --name "Ann Lee"`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withUsers(c, func(ctx context.Context, u *userTools) error {
				made, err := u.commands.CreateUser(ctx, commands.Origin{}, domain.RegisterUser{Email: email, Name: name}, rand.Text())
				var refused *domain.Error
				switch {
				case errors.As(err, &refused) && refused.Code == domain.CodeValidationFailed:
					return cli.Refuse("%s", invalidFlags(refused))
				case errors.As(err, &refused) && refused.Code == domain.CodeEmailTaken:
					return cli.Refuse("--email: %s", refused.Detail)
				case err != nil:
					return err
				}
				return u.printLink(ctx, p, made.State.ID)
			})
		},
	}
	c.Flags().StringVar(&email, "email", "", "the e-mail `address`")
	c.Flags().StringVar(&name, "name", "", "the `name` that people see, 1 to 200 characters")
	cli.RequireFlags(c, "email", "name")
	return c
}

func (p *program) usersResetLinkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reset-link ADDRESS",
		Short: "Make a link that resets a password",
		Long: `Print a link with which a user chooses another password, for whom no mail reaches. It is
valid once, for 24 hours, and begins with DOCKET_PUBLIC_URL; without that it is the token
alone, for POST /v1/auth/password/reset. Whoever has it gets into the account: hand it
over by a way that you trust.

Exit status: 1 where no user has the address.`,
		Example: `  docket users reset-link ann@example.org`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withUser(c, args[0], func(ctx context.Context, u *userTools, id domain.UserID) error {
				return u.printLink(ctx, p, id)
			})
		},
	}
}

func (p *program) usersChangeCommand(use, done, short, long string, change func(*accounts.Passwords, context.Context, domain.UserID) (bool, error)) *cobra.Command {
	return &cobra.Command{
		Use: use + " ADDRESS", Short: short,
		Long:    long + "\n\nExit status: 1 where no user has the address.",
		Example: "  docket users " + use + " ann@example.org",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.withUser(c, args[0], func(ctx context.Context, u *userTools, id domain.UserID) error {
				found, err := change(u.passwords, ctx, id)
				if err != nil {
					return err
				}
				if !found {
					return cli.Refuse("%s has no password here", cli.Printable(args[0]))
				}
				_, err = fmt.Fprintf(p.stdout, "%s %s\n", done, cli.Printable(args[0]))
				return err
			})
		},
	}
}

// userTools is what the commands on users work with.
type userTools struct {
	commands  *commands.Commands
	passwords *accounts.Passwords
	publicURL string
}

func (p *program) withUsers(c *cobra.Command, do func(context.Context, *userTools) error) error {
	s, err := p.settings(c)
	if err != nil {
		return err
	}
	return p.withDatabase(c, func(ctx context.Context, pools *pools) error {
		passwords, err := accounts.NewPasswords(pools.Login)
		if err != nil {
			return err
		}
		cmds, err := commands.New(commands.Config{Store: eventstore.New(pools.Engine, pools.API, nil), Passwords: passwords})
		if err != nil {
			return err
		}
		return do(ctx, &userTools{cmds, passwords, s.linkBase()})
	})
}

// withUser is withUsers for the user with an address, or refuses.
func (p *program) withUser(c *cobra.Command, email string, do func(context.Context, *userTools, domain.UserID) error) error {
	return p.withUsers(c, func(ctx context.Context, u *userTools) error {
		id, found, err := u.commands.UserByEmail(ctx, email)
		if err != nil {
			return err
		}
		if !found {
			return cli.Refuse("no user is registered as %q", email)
		}
		return do(ctx, u, id)
	})
}

func (u *userTools) printLink(ctx context.Context, p *program, id domain.UserID) error {
	link, err := u.passwords.ResetLink(ctx, id, u.publicURL)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, link)
	return err
}
