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

// intervention is what an operator does about a parked subscription of one tenant.
type intervention struct {
	projection string
	tenant     string
	operator   string
	reason     string
	json       bool
}

// interventionLine is an intervention for machines.
type interventionLine struct {
	TenantID   domain.TenantID `json:"tenant_id"`
	Tenant     string          `json:"tenant"`
	Projection string          `json:"projection"`
	Seq        int64           `json:"seq"`
	// Recorded is the seq of the event that records the operator and the reason.
	Recorded int64  `json:"recorded_seq"`
	Operator string `json:"operator"`
	Reason   string `json:"reason"`
	// Error is why the subscription was parked.
	Error string `json:"error"`
}

func (p *program) skipCommand() *cobra.Command {
	return p.interventionCommand(&cobra.Command{
		Use:   "skip",
		Short: "Leave out the event at which a subscription is parked",
		Long: `Leave out the event at which a subscription of a tenant is parked, for good: the
subscription continues after it at once, and every rebuild leaves it out too. The read
model then lacks what the event would have done; the log keeps the event, and the other
subscriptions handle it. A skip can't be undone.

The tenant's log records the skip as an event, with --operator and --reason.`,
		Example: `  docket projections skip --projection tasks --tenant acme --reason "event 512 names a task that never was"`,
	}, "left out event %d of %s in %s, recorded as event %d\n",
		func(i domain.Intervention) domain.SubscriptionCommand { return domain.SkipEvent{Intervention: i} },
		(*feed.Parking).Skip)
}

func (p *program) resumeCommand() *cobra.Command {
	return p.interventionCommand(&cobra.Command{
		Use:   "resume",
		Short: "Retry the event at which a subscription is parked",
		Long: `Retry the event at which a subscription of a tenant is parked at once, instead of at
the next retry: for when the cause is gone. A subscription that fails again is parked
again.

The tenant's log records it as an event, with --operator and --reason.`,
		Example: `  docket projections resume --projection tasks --tenant acme --reason "release 1.4.2 can fold it"`,
	}, "event %[1]d of %[2]s in %[3]s is tried again, recorded as event %[4]d\n",
		func(i domain.Intervention) domain.SubscriptionCommand {
			return domain.ResumeSubscription{Intervention: i}
		},
		(*feed.Parking).Resume)
}

// intervene is Parking.Skip or Parking.Resume.
type intervene func(*feed.Parking, context.Context, domain.TenantID, string,
	func(context.Context, feed.Parked) (int64, error)) (feed.Parked, error)

// interventionCommand completes a command that says by format what it did.
func (p *program) interventionCommand(c *cobra.Command, format string, make func(domain.Intervention) domain.SubscriptionCommand, do intervene) *cobra.Command {
	var i intervention
	c.Long += `

Exit status: 1 where the subscription isn't parked, or is being rebuilt.

Projections: ` + strings.Join(subscriptionNames(), ", ") + "."
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		if !slices.Contains(subscriptionNames(), i.projection) {
			return fmt.Errorf("--projection: there is no %q; there are %s", i.projection, strings.Join(subscriptionNames(), ", "))
		}
		if !c.Flags().Changed("operator") {
			i.operator = p.operator()
			if i.operator == "" {
				return errors.New("--operator is needed: the environment doesn't say who you are")
			}
		}
		var invalid *domain.Error
		if _, err := domain.DecideSubscription(domain.Subscription{}, make(i.at(0))); errors.As(err, &invalid) {
			return errors.New(invalidFlags(invalid))
		}
		return p.intervene(c, i, format, make, do)
	}
	c.Flags().StringVar(&i.projection, "projection", "", "the `name` of a subscription, as in projections list")
	c.Flags().StringVar(&i.tenant, "tenant", "", "a `tenant`'s slug or id")
	c.Flags().StringVar(&i.reason, "reason", "", "a `text` for later readers of the log, 1 to 1000 characters")
	c.Flags().StringVar(&i.operator, "operator", "", "the operator's `name`; unset: SUDO_USER, USER or LOGNAME")
	cli.JSONFlag(c, &i.json, "one JSON object")
	cli.RequireFlags(c, "projection", "tenant", "reason")
	cli.CompleteFlag(c, "tenant", p.completeTenants)
	cli.CompleteWith(c, "projection", subscriptionNames()...)
	return c
}

func (p *program) intervene(c *cobra.Command, i intervention, format string, make func(domain.Intervention) domain.SubscriptionCommand, do intervene) error {
	return p.withDatabase(c, func(ctx context.Context, pools *pools) error {
		tenant, err := findTenant(ctx, pools, i.tenant)
		if err != nil {
			return err
		}
		cmds, err := offlineCommands(pools)
		if err != nil {
			return err
		}
		var recorded int64
		parked, err := do(feed.NewParking(pools.Engine), ctx, tenant, i.projection,
			func(ctx context.Context, parked feed.Parked) (int64, error) {
				recorded, err = cmds.Intervene(ctx, domain.Operate(tenant), make(i.at(parked.Seq)))
				return recorded, err
			})
		if err != nil {
			return i.refuse(err)
		}
		if i.json {
			return cli.WriteJSON(p.stdout, interventionLine{
				TenantID: tenant, Tenant: i.tenant, Projection: i.projection, Seq: parked.Seq, Recorded: recorded,
				Operator: i.operator, Reason: i.reason, Error: parked.Error,
			})
		}
		_, err = fmt.Fprintf(p.stdout, format, parked.Seq, i.projection, cli.Printable(i.tenant), recorded)
		return err
	})
}

// at is the intervention at one event.
func (i intervention) at(seq int64) domain.Intervention {
	return domain.Intervention{Subscription: i.projection, Seq: seq, Operator: i.operator, Reason: i.reason}
}

// refuse makes a refusal of an error that is an answer, and returns other errors as
// they are.
func (i intervention) refuse(err error) error {
	var (
		not     *feed.NotParkedError
		running *feed.BuildRunningError
	)
	switch {
	case errors.As(err, &not):
		return cli.Refuse("%s isn't parked in %s: see docket projections list", i.projection, i.tenant)
	case errors.As(err, &running):
		return cli.Refuse("%s is being rebuilt in %s: wait for that, or stop it", i.projection, i.tenant)
	}
	return refuseTenant(err)
}
