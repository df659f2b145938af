package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"docket/internal/cli"
	"docket/migrations"

	"github.com/spf13/cobra"
)

func (p *program) migrateCommand() *cobra.Command {
	var m migration
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database's schema to this version of docket",
		Long: `Bring the schema of the database to this version of docket, and say where it
stands. Any number of replicas may call it at once; on a current database it
changes nothing. It connects as DOCKET_OWNER_DATABASE_URL, else DATABASE_URL,
else to the private Postgres, that of a running server too.

--to and --down go back. That drops tables with all that is in them, so it asks
for --yes, and no server may be running meanwhile.`,
		Example: `  docket migrate
  docket migrate --status --json
  docket migrate --to 5 --yes`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			m.back = m.down || c.Flags().Changed("to")
			return p.migrate(c, m)
		},
	}
	c.Flags().BoolVar(&m.status, "status", false, "only say where the schema stands; exit status 1 if it isn't this docket's")
	c.Flags().Int64Var(&m.to, "to", 0, "go back to this `version`; 0 leaves nothing")
	c.Flags().BoolVar(&m.down, "down", false, "go back by one version")
	c.Flags().BoolVar(&m.yes, "yes", false, "really go back, and lose data")
	cli.JSONFlag(c, &m.json, "one JSON object")
	c.MarkFlagsMutuallyExclusive("status", "to", "down")
	return c
}

// migration is what to do to the schema.
type migration struct {
	status bool
	back   bool
	down   bool
	to     int64
	yes    bool
	json   bool
}

// migrated is where the schema stands.
type migrated struct {
	// Before is the version that was found, Schema the one that it is at now.
	Before int64 `json:"before"`
	Schema int64 `json:"schema"`
	// Target is the version that this docket needs.
	Target int64 `json:"target"`
}

func (p *program) migrate(c *cobra.Command, m migration) (err error) {
	ctx := c.Context()
	s, err := p.settings(c)
	if err != nil {
		return err
	}
	if m.back && !m.yes {
		return errors.New("going back drops tables and all data in them: add --yes")
	}
	log := newLogger(p.stderr, s.LogFormat)
	d, err := m.open(ctx, s, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop(p.cutOff)) }()
	if err := checkServer(ctx, d, log); err != nil {
		return err
	}
	before, _, err := migrations.Pending(ctx, d.Owner)
	if err != nil {
		return err
	}
	switch {
	case m.status:
	case m.back:
		if m.to, err = m.target(ctx, d); err == nil {
			err = migrations.Down(ctx, d.Owner, m.to, log)
		}
	default:
		err = migrations.Up(ctx, d.Owner, log)
	}
	if err != nil {
		return err
	}
	after, target, err := migrations.Pending(ctx, d.Owner)
	if err != nil {
		return err
	}
	if err := p.tellMigrated(m, migrated{Before: before, Schema: after, Target: target}); err != nil {
		return err
	}
	if m.status && after != target {
		return cli.ErrNo
	}
	return nil
}

func (p *program) tellMigrated(m migration, now migrated) error {
	if m.json {
		return cli.WriteJSON(p.stdout, now)
	}
	said := ""
	if !m.status && now.Before == now.Schema {
		said = ": nothing to do"
	}
	_, err := fmt.Fprintf(p.stdout, "schema version %d; this docket's is %d%s\n", now.Schema, now.Target, said)
	return err
}

// open finds the database. Beside a running server its private Postgres is used,
// but not to go back: that would take away the tables under it.
func (m migration) open(ctx context.Context, s settings, log *slog.Logger) (*database, error) {
	switch {
	case m.status:
		return borrowDatabase(ctx, s, log)
	case m.back:
		return openDatabase(ctx, s, log)
	}
	return openOrJoin(ctx, s, log, func(ctx context.Context, d *database) (bool, error) {
		_, _, err := migrations.Pending(ctx, d.Owner)
		return err == nil, err
	})
}

// target is the version to go back to.
func (m migration) target(ctx context.Context, d *database) (int64, error) {
	current, newest, err := migrations.Pending(ctx, d.Owner)
	switch {
	case err != nil:
		return 0, err
	case current > newest:
		return 0, fmt.Errorf("the schema is at version %d, of a newer docket; only that one can go back", current)
	case m.down:
		return max(current-1, 0), nil
	case m.to < 0 || m.to > current:
		return 0, fmt.Errorf("--to %d: the schema is at version %d, and this goes back only", m.to, current)
	}
	return m.to, nil
}
