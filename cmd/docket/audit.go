package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"docket/domain"
	"docket/internal/cli"
	"docket/projections"

	"github.com/spf13/cobra"
)

func (p *program) auditCommand() *cobra.Command {
	return cli.Group(&cobra.Command{
		Use: "audit", Short: "The history of a tenant",
		Example: "  docket audit replay --tenant default",
	}, p.replayCommand())
}

func (p *program) replayCommand() *cobra.Command {
	var tenant, until string
	var asJSON bool
	c := &cobra.Command{
		Use:   "replay",
		Short: "Print what happened in a tenant, one line an event",
		Long: `Print what happened in a tenant, oldest first, one line an event: seq, time, actor,
type and summary. With --json each line is the event as it is stored, with the actor's
name, the summary and the changes.

The nil UUID is the platform's log: which users registered, and when.`,
		Example: `  docket audit replay --tenant default
  docket audit replay --tenant default --until 120
  docket audit replay --tenant default --until 2026-11-23T12:00:00Z --json
  docket audit replay --tenant 00000000-0000-0000-0000-000000000000`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			end, err := parseUntil(until)
			if err != nil {
				return err
			}
			line := printHistory
			if asJSON {
				line = writeHistoryJSON
			}
			return p.replay(c, tenant, end, line)
		},
	}
	c.Flags().StringVar(&tenant, "tenant", "", "the `tenant`'s slug or id")
	c.Flags().StringVar(&until, "until", "", "stop after the event at this `seq-or-time` (RFC 3339)")
	cli.JSONFlag(c, &asJSON, "one JSON object an event")
	cli.CompleteFlag(c, "tenant", p.completeTenants)
	cli.RequireFlags(c, "tenant")
	return c
}

// parseUntil reads a seq or a time; an empty text means the end of the log.
func parseUntil(s string) (projections.Until, error) {
	if s == "" {
		return projections.Until{}, nil
	}
	if seq, err := strconv.ParseInt(s, 10, 64); err == nil && seq > 0 {
		return projections.Until{Seq: seq}, nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return projections.Until{Time: at}, nil
	}
	return projections.Until{}, fmt.Errorf("--until %q is neither a seq (1, 2, 3 …) nor a time such as 2026-11-23T12:00:00Z", s)
}

func (p *program) replay(c *cobra.Command, tenant string, until projections.Until, line func(io.Writer, projections.HistoryItem) error) error {
	return p.withDatabase(c, func(ctx context.Context, pools *pools) error {
		id, err := findTenant(ctx, pools, tenant)
		if err != nil {
			return err
		}
		out := bufio.NewWriter(p.stdout)
		// It reads the log itself, so there is no read model to wait for.
		err = projections.NewQueries(pools.API, nil).Replay(ctx, domain.Operate(id), until,
			func(item projections.HistoryItem) error { return line(out, item) })
		return errors.Join(err, out.Flush())
	})
}

// printHistory writes an event for people.
func printHistory(w io.Writer, item projections.HistoryItem) error {
	actor := item.ActorName
	if actor == "" {
		actor = "-"
	}
	_, err := fmt.Fprintf(w, "%6d  %s  %s  %s  %s\n", item.Seq, item.At.UTC().Format("2006-01-02T15:04:05.000000Z"),
		cli.Printable(actor), item.Type, cli.Printable(item.Summary))
	return err
}

// historyLine is an event as /v1/admin/events has it, and what a history adds.
type historyLine struct {
	Seq           int64             `json:"seq"`
	At            time.Time         `json:"at"`
	StreamType    domain.StreamType `json:"stream_type"`
	StreamID      string            `json:"stream_id"`
	Version       int               `json:"version"`
	Type          string            `json:"type"`
	SchemaVersion int               `json:"schema_version"`
	ActorID       *domain.UserID    `json:"actor_id"`
	CommandID     domain.CommandID  `json:"command_id"`
	Data          json.RawMessage   `json:"data"`
	Meta          json.RawMessage   `json:"meta"`
	ActorName     string            `json:"actor_name"`
	Summary       string            `json:"summary"`
	Changes       []domain.Change   `json:"changes"`
}

// writeHistoryJSON writes an event for machines.
func writeHistoryJSON(w io.Writer, item projections.HistoryItem) error {
	return cli.WriteJSON(w, historyLine{
		Seq: item.Seq, At: item.At.UTC(), StreamType: item.Stream.Type, StreamID: item.Stream.ID.String(),
		Version: item.Version, Type: item.Type, SchemaVersion: item.SchemaVersion, ActorID: item.ActorID,
		CommandID: item.CommandID, Data: item.Data, Meta: item.Meta,
		ActorName: item.ActorName, Summary: item.Summary, Changes: item.Changes,
	})
}
