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
		Long: `Bring the schema of the database to this version of docket, and print its version.
Any number of replicas may run it at once; a current schema stays as it is. It connects
as DOCKET_OWNER_DATABASE_URL, else DATABASE_URL, else to the private Postgres, which a
server may be using.

--to and --down go back to an older version. That drops tables with their data, so it
needs --yes, and no server may run meanwhile.`,
		Example: `  docket migrate
  docket migrate --status --json
  docket migrate --to 5 --yes`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			m.back = m.down || c.Flags().Changed("to")
			return p.migrate(c, m)
		},
	}
	c.Flags().BoolVar(&m.status, "status", false, "only print the schema's version; exit status 1 if it isn't this docket's")
	c.Flags().Int64Var(&m.to, "to", 0, "go back to this `version`; 0 drops everything")
	c.Flags().BoolVar(&m.down, "down", false, "go back by one version")
	c.Flags().BoolVar(&m.yes, "yes", false, "go back, and lose data")
	cli.JSONFlag(c, &m.json, "one JSON object")
	c.MarkFlagsMutuallyExclusive("status", "to", "down")
	return c
}

// migration is what to do with the schema.
type migration struct {
	status bool
	back   bool
	down   bool
	to     int64
	yes    bool
	json   bool
}

// migrationLine is the outcome for machines.
type migrationLine struct {
	// Before is the version at first, Schema the version now.
	Before int64 `json:"before"`
	Schema int64 `json:"schema"`
	// Target is the version of this docket.
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
	log := newLogger(p.stderr, s)
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
	if err := m.run(ctx, d, log); err != nil {
		return err
	}
	after, target, err := migrations.Pending(ctx, d.Owner)
	if err != nil {
		return err
	}
	if err := p.printMigration(m, migrationLine{Before: before, Schema: after, Target: target}); err != nil {
		return err
	}
	if m.status && after != target {
		return cli.ErrNo
	}
	return nil
}

// run migrates, up or down.
func (m migration) run(ctx context.Context, d *database, log *slog.Logger) error {
	switch {
	case m.status:
		return nil
	case !m.back:
		return migrations.Up(ctx, d.Owner, log)
	}
	to, err := m.target(ctx, d)
	if err != nil {
		return err
	}
	return migrations.Down(ctx, d.Owner, to, log)
}

func (p *program) printMigration(m migration, now migrationLine) error {
	if m.json {
		return cli.WriteJSON(p.stdout, now)
	}
	nothing := ""
	if !m.status && now.Before == now.Schema {
		nothing = ": nothing to do"
	}
	_, err := fmt.Fprintf(p.stdout, "schema version %d; this docket's is %d%s\n", now.Schema, now.Target, nothing)
	return err
}

// open finds the database: the private Postgres of a running server too, but not to go
// back, which would drop the tables under the server.
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
