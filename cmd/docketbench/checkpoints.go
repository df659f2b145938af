package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"docket/domain"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// catchUpBound is how long the subscriptions may take to catch up.
const catchUpBound = 30 * time.Minute

// sqlCheckpoints reads the live checkpoints of the tenants $1.
const sqlCheckpoints = `
SELECT c.tenant_id, c.subscription, c.seq FROM checkpoints c
LEFT JOIN generations g ON g.tenant_id = c.tenant_id AND g.subscription = c.subscription
WHERE c.tenant_id = ANY ($1) AND c.generation = coalesce(g.current, 1)`

// sqlHeads reads the last seq of each of the tenants $1.
const sqlHeads = `
SELECT t.id, coalesce((SELECT e.seq FROM events e WHERE e.tenant_id = t.id ORDER BY e.seq DESC LIMIT 1), 0)
FROM unnest($1::uuid[]) AS t (id)`

// sqlCommitted counts the transactions that were committed in this database.
const sqlCommitted = `SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()`

// checkpoints reads how far the subscriptions are in the logs of some tenants.
type checkpoints struct {
	pool    *pgxpool.Pool
	tenants []domain.TenantID
	// subscriptions are the names of all, sorted; known after await.
	subscriptions []string
}

func newCheckpoints(ctx context.Context, d *database, tenants []domain.TenantID) (*checkpoints, error) {
	pool, err := d.pool(ctx, 1)
	return &checkpoints{pool: pool, tenants: tenants}, err
}

// position is a subscription's checkpoint in a tenant.
type position struct {
	Tenant       domain.TenantID
	Subscription string
	Seq          int64
}

func (c *checkpoints) read(ctx context.Context) ([]position, error) {
	rows, err := c.pool.Query(ctx, sqlCheckpoints, c.tenants)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[position])
}

func (c *checkpoints) heads(ctx context.Context) (map[domain.TenantID]int64, error) {
	rows, err := c.pool.Query(ctx, sqlHeads, c.tenants)
	if err != nil {
		return nil, err
	}
	heads := map[domain.TenantID]int64{}
	var (
		id   domain.TenantID
		head int64
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &head}, func() error { heads[id] = head; return nil })
	return heads, err
}

func (c *checkpoints) committed(ctx context.Context) (n int64, err error) {
	err = c.pool.QueryRow(ctx, sqlCommitted).Scan(&n)
	return n, err
}

// await waits until all subscriptions are where the logs end now. It learns from that
// which subscriptions there are: each then has a checkpoint in each tenant.
func (c *checkpoints) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catchUpBound)
	defer cancel()
	heads, err := c.heads(ctx)
	// Reading those of many tenants takes time from the subscriptions.
	every := 10*time.Millisecond + time.Duration(len(c.tenants))*time.Millisecond/10
	for err == nil {
		var all []position
		if all, err = c.read(ctx); err != nil {
			break
		}
		names, behind := c.behind(all, heads)
		if !behind {
			c.subscriptions = names
			return nil
		}
		err = pause(ctx, every)
	}
	return fmt.Errorf("wait for the subscriptions: %w", err)
}

// behind reports whether a subscription isn't at the head of every tenant, and which
// subscriptions there are.
func (c *checkpoints) behind(all []position, heads map[domain.TenantID]int64) (names []string, behind bool) {
	count := map[string]int{}
	for _, p := range all {
		count[p.Subscription]++
		behind = behind || p.Seq < heads[p.Tenant]
	}
	for name, n := range count {
		names = append(names, name)
		behind = behind || n < len(c.tenants)
	}
	slices.Sort(names)
	return names, behind || len(names) == 0
}
