package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// maintenanceDatabase is the database that every server has beside Docket's.
const maintenanceDatabase = "postgres"

// sqlSnapshot begins a transaction that sees the database as it now is for as long
// as it is open: no row version that it might see can be cleaned up meanwhile.
const sqlSnapshot = `BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class`

// snapshot is a transaction that has read and is held open.
type snapshot struct{ c *pgx.Conn }

// holdSnapshot opens one, in Docket's database or in another of the same server.
func holdSnapshot(ctx context.Context, d *database, where string) (*snapshot, error) {
	database := ""
	if where == snapshotOther {
		database = maintenanceDatabase
	}
	c, err := d.connect(ctx, database)
	if err != nil {
		return nil, fmt.Errorf("long transaction: %w", err)
	}
	if _, err := c.Exec(ctx, sqlSnapshot); err != nil {
		_ = c.Close(ctx) // the other error says it
		return nil, fmt.Errorf("long transaction: %w", err)
	}
	return &snapshot{c}, nil
}

// release ends the transaction with its session.
func (s *snapshot) release(ctx context.Context) { _ = s.c.Close(ctx) }
