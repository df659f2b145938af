package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Durability says whether a server keeps what it has acknowledged when it, or
// its machine, goes down.
type Durability struct {
	// Off are the settings that are off of fsync, full_page_writes and
	// synchronous_commit; none where all is well. synchronous_commit may have any
	// other value: local and remote_write wait for this server's disk, and whether a
	// standby is waited for is the operator's choice.
	Off []string
	// Checksums says that damage on disk is noticed when a page is read.
	Checksums bool
}

// sqlDurability reads the three settings as they are in this session (a role, a
// database or a connection string may set synchronous_commit apart from the
// server), and whether pages have checksums.
const sqlDurability = `
SELECT array(SELECT name FROM unnest(ARRAY['fsync', 'full_page_writes', 'synchronous_commit']) WITH ORDINALITY AS s (name, place)
             WHERE current_setting(name) = 'off' ORDER BY place),
       current_setting('data_checksums') = 'on'`

// AskDurability asks every idle session of the pools, or a new one of a pool that
// has none: sessions that began before a role was altered differ from later ones.
// Off has what is off in any of them.
func AskDurability(ctx context.Context, pools ...*pgxpool.Pool) (Durability, error) {
	all := Durability{Checksums: true}
	for _, pool := range pools {
		sessions := pool.AcquireAllIdle(ctx)
		if len(sessions) == 0 {
			c, err := pool.Acquire(ctx)
			if err != nil {
				return Durability{}, fmt.Errorf("postgres: %w", err)
			}
			sessions = append(sessions, c)
		}
		var failed error
		for _, c := range sessions {
			if failed == nil {
				failed = all.ask(ctx, c)
			}
			c.Release()
		}
		if failed != nil {
			return Durability{}, fmt.Errorf("postgres: %w", failed)
		}
	}
	return all, nil
}

// ask adds what one session says.
func (d *Durability) ask(ctx context.Context, c *pgxpool.Conn) error {
	var (
		off       []string
		checksums bool
	)
	if err := c.QueryRow(ctx, sqlDurability).Scan(&off, &checksums); err != nil {
		return err
	}
	for _, name := range off {
		if !slices.Contains(d.Off, name) {
			d.Off = append(d.Off, name)
		}
	}
	d.Checksums = d.Checksums && checksums
	return nil
}
