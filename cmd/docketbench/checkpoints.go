package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"docket/domain"
	"docket/internal/postgres"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// settleBound is how long the subscriptions may take to read all that there is, and
// settleEvery the pause between two looks at many tenants' checkpoints.
const (
	settleBound = 5 * time.Minute
	settleEvery = time.Second
)

// sqlCheckpoints reads how far the live checkpoints of the tenants $1 have come.
const sqlCheckpoints = `
SELECT c.tenant_id, c.subscription, c.seq FROM checkpoints c
LEFT JOIN generations g ON g.tenant_id = c.tenant_id AND g.subscription = c.subscription
WHERE c.tenant_id = ANY ($1) AND c.generation = coalesce(g.current, 1)`

// sqlHeads reads the last seq of each of the tenants $1.
const sqlHeads = `
SELECT t.id, (SELECT e.seq FROM events e WHERE e.tenant_id = t.id ORDER BY e.seq DESC LIMIT 1)
FROM unnest($1::uuid[]) AS t (id)`

// checkpoints tell how far the subscriptions have read the logs of some tenants.
type checkpoints struct {
	pool    *pgxpool.Pool
	tenants []uuid.UUID
	// subscriptions are the names of all, sorted; known once they have settled.
	subscriptions []string
}

func newCheckpoints(ctx context.Context, d *database, tenants []domain.TenantID) (*checkpoints, error) {
	c := &checkpoints{}
	for _, t := range tenants {
		c.tenants = append(c.tenants, t.UUID())
	}
	var err error
	c.pool, err = postgres.Pool(ctx, d.Engine, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: 1, AppName: "docketbench"})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// position is a subscription's, in a tenant's log.
type position struct {
	Tenant       uuid.UUID
	Subscription string
	Seq          int64
}

func (c *checkpoints) look(ctx context.Context) ([]position, error) {
	rows, err := c.pool.Query(ctx, sqlCheckpoints, c.tenants)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[position])
}

func (c *checkpoints) heads(ctx context.Context) (map[uuid.UUID]int64, error) {
	rows, err := c.pool.Query(ctx, sqlHeads, c.tenants)
	if err != nil {
		return nil, err
	}
	heads := map[uuid.UUID]int64{}
	var (
		id   uuid.UUID
		head int64
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &head}, func() error { heads[id] = head; return nil })
	return heads, err
}

// settle waits until all subscriptions have read all that there is now, and so
// learns which there are: each has then a checkpoint for each tenant. every is the
// pause between two looks.
func (c *checkpoints) settle(ctx context.Context, every time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, settleBound)
	defer cancel()
	heads, err := c.heads(ctx)
	for err == nil {
		var all []position
		if all, err = c.look(ctx); err != nil {
			break
		}
		if names, behind := c.behind(all, heads); !behind {
			c.subscriptions = names
			return nil
		}
		err = pause(ctx, every)
	}
	return fmt.Errorf("wait for the subscriptions: %w", err)
}

// behind reports whether a subscription hasn't come to the head of every tenant, and
// which subscriptions there are.
func (c *checkpoints) behind(all []position, heads map[uuid.UUID]int64) (names []string, behind bool) {
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

func (c *checkpoints) close() { c.pool.Close() }

// pause waits; its error is ctx's.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
