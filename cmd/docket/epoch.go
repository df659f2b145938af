package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"docket/commands"
	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/cli"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
)

// recordTimeout bounds the record of an epoch in one tenant's log.
const recordTimeout = 10 * time.Second

// recordEpoch records an epoch in the log of each tenant that doesn't have it yet. Any
// replica may; what one leaves another finishes. The error is of the last tenant that failed.
func recordEpoch(ctx context.Context, pool *pgxpool.Pool, cmds *commands.Commands, e domain.Epoch, log *slog.Logger) error {
	tenants, err := feed.Logs(ctx, pool)
	if err != nil {
		return err
	}
	recorded := 0
	var failed error
	for _, t := range tenants {
		if t == domain.Platform {
			continue
		}
		recording, cancel := context.WithTimeout(ctx, recordTimeout)
		is, err := cmds.BeginEpoch(recording, t, e)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			failed = fmt.Errorf("tenant %s: %w", t, err)
		case is:
			recorded++
		}
	}
	if recorded > 0 {
		log.Info("the epoch is in the tenants' logs", "epoch", e.ID, "tenants", recorded)
	}
	return failed
}

func (p *program) epochCommand() *cobra.Command {
	return cli.Group(&cobra.Command{
		Use: "epoch", Short: "The epoch of the database",
		Long: `An epoch is one history of the database. docket serve begins a new one by itself where it
sees that acknowledged events are lost, that another server took over, or that the database
moved to another system. Positions (min_seq, after_seq), ETags and cursors of another epoch
are then refused, and each tenant's log has the event tenant.epoch_begun.`,
		Example: `  docket epoch begin --reason "restored from the backup of Monday"`,
	}, p.beginEpochCommand())
}

func (p *program) beginEpochCommand() *cobra.Command {
	var (
		reason string
		asJSON bool
	)
	c := &cobra.Command{
		Use:   "begin",
		Short: "Begin a new epoch, after a restore",
		Long: `Begin a new epoch, after a restore that docket serve can't notice by itself: a copy of the
data directory of the same server, for instance. Running servers follow within 5 s and
record it in the tenants' logs.`,
		Example: `  docket epoch begin --reason "restored from the backup of Monday"`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.withDatabase(c, func(ctx context.Context, pools *pools) error {
				store := eventstore.New(pools.Engine, pools.API, nil)
				e, err := eventstore.NewEpochs(pools.Engine, store, nil, slog.New(slog.DiscardHandler)).Begin(ctx, reason)
				if err != nil {
					return err
				}
				s := p.screen()
				if asJSON {
					return cli.WriteJSON(s, epochLine{e.ID, e.Number, e.BegunAt, e.Reason})
				}
				_, err = fmt.Fprintf(s, "epoch %d begun: %s\n", e.Number, e.ID)
				return err
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why events may be lost, a `text`")
	cli.JSONFlag(c, &asJSON, "one JSON object")
	if err := c.MarkFlagRequired("reason"); err != nil {
		panic(err) // there is no such flag
	}
	return c
}

// epochLine is an epoch for machines.
type epochLine struct {
	ID      domain.EpochID `json:"id"`
	Number  int            `json:"number"`
	BegunAt time.Time      `json:"begun_at"`
	Reason  string         `json:"reason"`
}
