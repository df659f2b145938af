package projections

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/jackc/pgx/v5"
)

// dropChunk is how many rows of an old generation are deleted in one transaction, so
// that none is long.
const dropChunk = 5000

// OldRowsError says that one read model of one tenant was rebuilt and is read, that its
// rows from before are still there, and why. Nobody sees those. A Background deletes
// them, or the next rebuild of the same.
type OldRowsError struct {
	Tenant domain.TenantID
	Model  string
	Cause  error
}

func (e *OldRowsError) Error() string {
	return fmt.Sprintf("%s of tenant %s is rebuilt, and its old rows are still there: %v", e.Model, e.Tenant, e.Cause)
}

func (e *OldRowsError) Unwrap() error { return e.Cause }

// span is a run of generations: those after one and before another.
type span struct{ after, before int }

// dropSQL deletes the next rows of a tenant ($1), $4 at most, of the generations after one
// ($2) and before another ($3), in the order of the key, after one with a generation ($5)
// and a key ($6). It gives where the last of them stood, if there were so many. Without that
// place each chunk would go through all that those before it have deleted, which stands
// in the index until it is vacuumed. (What a CTE gives is in its own order.)
func (m readModel) dropSQL() string {
	return `with run as materialized (
  select ctid, generation, ` + m.key + ` as key from ` + m.table + `
  where tenant_id = $1 and generation > $2 and generation < $3 and (generation, ` + m.key + `) > ($5, $6::` + m.keyType + `)
  order by generation, ` + m.key + ` limit $4),
gone as (delete from ` + m.table + ` where ctid = any (array(select ctid from run)))
select generation, key::text from run offset $4 - 1`
}

// drop deletes the rows of some generations, in turns.
func (r *Rebuilder) drop(ctx context.Context, t domain.TenantID, m readModel, of span, in *turns) error {
	sql, at, key := m.dropSQL(), 0, m.lowest
	for {
		last := false
		err := in.use(ctx, func() error {
			err := r.engine.QueryRow(ctx, sql, t.UUID(), of.after, of.before, dropChunk, at, key).Scan(&at, &key)
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

// dropOld deletes the rows of a read model that a flip has left.
func (r *Rebuilder) dropOld(ctx context.Context, builds *feed.Builds, t domain.TenantID, m readModel, in *turns) error {
	return builds.DropOld(ctx, m.name, func(ctx context.Context, live int) error {
		return r.drop(ctx, t, m, span{0, live}, in)
	})
}
