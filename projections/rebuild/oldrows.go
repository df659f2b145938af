package rebuild

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/projections"

	"github.com/jackc/pgx/v5"
)

// dropChunk is how many rows of an old generation are deleted in one transaction; it
// keeps each transaction short.
const dropChunk = 5000

// generations are those after one and before another.
type generations struct{ after, before int }

// dropSQL deletes the next rows of a tenant ($1), $4 at most, of the generations after one
// ($2) and before another ($3), in the order of the key, after a generation ($5) and key
// ($6). It gives the place of the last row, if there were $4. Without that place each
// chunk would read the index entries of all rows deleted before it, which stay until a
// vacuum. (The rows of a CTE keep its order.)
func dropSQL(m projections.ReadModel) string {
	return `with chunk as materialized (
  select ctid, generation, ` + m.Key + ` as key from ` + m.Table + `
  where tenant_id = $1 and generation > $2 and generation < $3 and (generation, ` + m.Key + `) > ($5, $6::` + m.KeyType + `)
  order by generation, ` + m.Key + ` limit $4),
deleted as (delete from ` + m.Table + ` where ctid = any (array(select ctid from chunk)))
select generation, key::text from chunk offset $4 - 1`
}

// drop deletes the rows of some generations, one chunk a step.
func (r *Rebuilder) drop(ctx context.Context, t domain.TenantID, m projections.ReadModel, of generations, steps *limiter) error {
	sql, generation, key := dropSQL(m), 0, lowestKey(m)
	for {
		last := false
		err := steps.run(ctx, func() error {
			err := r.engine.QueryRow(ctx, sql, t.UUID(), of.after, of.before, dropChunk, generation, key).Scan(&generation, &key)
			if last = errors.Is(err, pgx.ErrNoRows); last {
				return nil
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("delete old rows: %w", err)
		}
		if last {
			return nil
		}
	}
}

// dropOld deletes the rows of a read model that a switch has left.
func (r *Rebuilder) dropOld(ctx context.Context, builds *feed.Builds, t domain.TenantID, m projections.ReadModel, steps *limiter) error {
	return builds.DropOld(ctx, m.Name, func(ctx context.Context, live int) error {
		return r.drop(ctx, t, m, generations{0, live}, steps)
	})
}
