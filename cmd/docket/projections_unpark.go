package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/cli"

	"github.com/spf13/cobra"
)

// unparking is what an operator does about one parked subscription of one tenant.
type unparking struct {
	projection string
	tenant     string
	operator   string
	reason     string
	json       bool
}

// unparked is what a machine reads of it.
type unparked struct {
	TenantID   domain.TenantID `json:"tenant_id"`
	Tenant     string          `json:"tenant"`
	Projection string          `json:"projection"`
	Seq        int64           `json:"seq"`
	// Recorded is the seq of the event that says who did it and why.
	Recorded int64  `json:"recorded_seq"`
	Operator string `json:"operator"`
	Reason   string `json:"reason"`
	// Error is why the event couldn't be handled.
	Error string `json:"error"`
}

func (p *program) skipCommand() *cobra.Command {
	return p.unparkCommand(&cobra.Command{
		Use:   "skip",
		Short: "Leave out the event at which a subscription is parked",
		Long: `Leave out the event at which a subscription of a tenant is parked, for good: the
subscription goes on behind it at once, and every rebuild leaves it out too. What the
event would have done to a read model is then missing there; the log keeps it, and the
other subscriptions heed it. It can't be taken back.

It is written into the tenant's log as an event, with --operator and --reason.`,
		Example: `  docket projections skip --projection tasks --tenant acme --reason "event 512 names a task that never was"`,
	}, "left out event %d of %s in %s, recorded as event %d\n",
		func(i domain.Intervention) domain.SubscriptionCommand { return domain.SkipEvent{Intervention: i} },
		(*feed.Parking).Skip)
}

func (p *program) resumeCommand() *cobra.Command {
	return p.unparkCommand(&cobra.Command{
		Use:   "resume",
		Short: "Try the event at which a subscription is parked again at once",
		Long: `Try the event at which a subscription of a tenant is parked again at once, instead of
at the next retry, once its cause is gone. Where it fails again it is parked again.

It is written into the tenant's log as an event, with --operator and --reason.`,
		Example: `  docket projections resume --projection tasks --tenant acme --reason "release 1.4.2 can fold it"`,
	}, "event %[1]d of %[2]s in %[3]s is tried again, recorded as event %[4]d\n",
		func(i domain.Intervention) domain.SubscriptionCommand {
			return domain.ResumeSubscription{Intervention: i}
		},
		(*feed.Parking).Resume)
}

// unpark is Parking.Skip or Parking.Resume.
type unpark func(*feed.Parking, context.Context, domain.TenantID, string,
	func(context.Context, feed.Parked) (int64, error)) (feed.Parked, error)

// unparkCommand completes a command that says what it did by format.
func (p *program) unparkCommand(c *cobra.Command, format string, make func(domain.Intervention) domain.SubscriptionCommand, do unpark) *cobra.Command {
	var u unparking
	c.Long += `

Exit status: 1 where it isn't parked, or is being rebuilt just now.

Projections: ` + strings.Join(subscriptionNames(), ", ") + "."
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !slices.Contains(subscriptionNames(), u.projection) {
			return fmt.Errorf("--projection: there is no %q; there are %s", u.projection, strings.Join(subscriptionNames(), ", "))
		}
		if !c.Flags().Changed("operator") {
			if u.operator = p.account(); u.operator == "" {
				return errors.New("--operator is needed: the environment doesn't say who you are")
			}
		}
		var wrong *domain.Error
		if _, err := domain.DecideSubscription(domain.Subscription{}, make(u.intervention(0))); errors.As(err, &wrong) {
			return errors.New(wrongFlags(wrong))
		}
		return p.unpark(c, u, format, make, do)
	}
	c.Flags().StringVar(&u.projection, "projection", "", "the `name` of a subscription, as in projections list")
	c.Flags().StringVar(&u.tenant, "tenant", "", "a `tenant`'s slug or id")
	c.Flags().StringVar(&u.reason, "reason", "", "a `text` for those who read the log later, 1 to 1000 characters")
	c.Flags().StringVar(&u.operator, "operator", "", "a `name` for who does it; unset: SUDO_USER, USER or LOGNAME")
	cli.JSONFlag(c, &u.json, "one JSON object")
	cli.RequireFlags(c, "projection", "tenant", "reason")
	cli.CompleteFlag(c, "tenant", p.completeTenants)
	cli.CompleteWith(c, "projection", subscriptionNames()...)
	return c
}

// account is the login of who runs the program; behind sudo that of who asked for
// it. Empty where the environment doesn't say.
func (p *program) account() string {
	for _, name := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		if account := p.environ[name]; account != "" {
			return account
		}
	}
	return ""
}

func (p *program) unpark(c *cobra.Command, u unparking, format string, make func(domain.Intervention) domain.SubscriptionCommand, do unpark) error {
	return p.beside(c, func(ctx context.Context, pools *pools) error {
		tenant, err := findTenant(ctx, pools, u.tenant)
		if err != nil {
			return err
		}
		cmds, err := commandsBeside(pools)
		if err != nil {
			return err
		}
		var recorded int64
		parked, err := do(feed.NewParking(pools.Engine), ctx, tenant, u.projection,
			func(ctx context.Context, parked feed.Parked) (int64, error) {
				recorded, err = cmds.Intervene(ctx, domain.Operate(tenant), make(u.intervention(parked.Seq)))
				return recorded, err
			})
		if err != nil {
			return u.refuse(err)
		}
		if u.json {
			return cli.WriteJSON(p.stdout, unparked{
				TenantID: tenant, Tenant: u.tenant, Projection: u.projection, Seq: parked.Seq, Recorded: recorded,
				Operator: u.operator, Reason: u.reason, Error: parked.Error,
			})
		}
		_, err = fmt.Fprintf(p.stdout, format, parked.Seq, u.projection, cli.Printable(u.tenant), recorded)
		return err
	})
}

// intervention is what it is about an event.
func (u unparking) intervention(seq int64) domain.Intervention {
	return domain.Intervention{Subscription: u.projection, Seq: seq, Operator: u.operator, Reason: u.reason}
}

// refuse makes a refusal of what is an answer; other errors stay.
func (u unparking) refuse(err error) error {
	var (
		not     *feed.NotParkedError
		running *feed.BuildRunningError
	)
	switch {
	case errors.As(err, &not):
		return cli.Refuse("%s isn't parked in %s: see docket projections list", u.projection, u.tenant)
	case errors.As(err, &running):
		return cli.Refuse("%s is being rebuilt in %s: wait for that, or stop it", u.projection, u.tenant)
	}
	return refuseTenant(err)
}
