package main

import (
	"context"
	"errors"

	"docket/internal/postgres"

	"github.com/spf13/cobra"
)

// beside does the work of a command that needs the database but no server: on
// the private Postgres of a running server where there is one, else on one that
// runs as long as the command.
func (p *program) beside(c *cobra.Command, do func(context.Context, *pools) error) error {
	return p.besideWith(c, postgres.AppendConns, do)
}

// besideWith is beside with up to so many connections of the engine's role.
func (p *program) besideWith(c *cobra.Command, engine int32, do func(context.Context, *pools) error) (err error) {
	ctx := c.Context()
	s, err := p.settings(c)
	if err != nil {
		return err
	}
	log := newLogger(p.stderr, s.LogFormat)
	var started closers
	defer func() { err = errors.Join(err, started.close(p.cutOff)) }()
	d, err := borrowDatabase(ctx, s, log)
	if err != nil {
		return err
	}
	started.add(d.stop)
	if err := checkServer(ctx, d, log); err != nil {
		return err
	}
	if err := requireSchema(ctx, d); err != nil {
		return err
	}
	pools, err := openPools(ctx, d, c.CommandPath(), engine, false)
	if err != nil {
		return err
	}
	started.add(pools.close)
	return do(ctx, pools)
}
