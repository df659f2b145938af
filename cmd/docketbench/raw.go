package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// sqlCreateRaw creates the table of the raw INSERTs: the columns and keys of events,
// without its checks, triggers and row-level security.
const sqlCreateRaw = `
CREATE TABLE docketbench_raw (
  tenant_id uuid NOT NULL, seq bigint NOT NULL, stream_type text NOT NULL, stream_id uuid NOT NULL,
  version integer NOT NULL, type text NOT NULL, schema_version smallint NOT NULL, occurred_at timestamptz NOT NULL,
  actor_id uuid, command_id uuid NOT NULL, data json NOT NULL, meta json NOT NULL,
  PRIMARY KEY (tenant_id, seq), UNIQUE (tenant_id, stream_id, version))`

const sqlDropRaw = `DROP TABLE IF EXISTS docketbench_raw`

// sqlInsertRaw inserts one row; the parameters are the columns.
const sqlInsertRaw = `INSERT INTO docketbench_raw VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

// rawLog measures INSERTs of one row per transaction.
type rawLog struct {
	db         *database
	tenants    []domain.TenantID
	heads      []atomic.Int64 // the tenants' last seqs
	def        domain.Definition
	actor      uuid.UUID
	data, meta json.RawMessage // of an event of the size that is appended
}

// newRawLog creates the table.
func newRawLog(ctx context.Context, d *database, tenants int) (*rawLog, error) {
	w := newWriter(nil, newID[domain.TenantID]())
	r := &rawLog{db: d, tenants: newTenants(tenants), heads: make([]atomic.Int64, tenants), actor: w.actor.UUID()}
	var err error
	if r.def, r.data, err = domain.Encode(w.next()); err != nil {
		return nil, err
	}
	r.meta = must(json.Marshal(w.meta))
	return r, execute(ctx, d.Owner, sqlDropRaw, sqlCreateRaw)
}

// drop removes the table.
func (r *rawLog) drop(ctx context.Context) error { return execute(ctx, r.db.Owner, sqlDropRaw) }

// single runs a closed loop of INSERTs on each of n connections, or as many as the server
// has. Without a raw log it does nothing.
func (r *rawLog) single(ctx context.Context, l *loadPlan, n int) (sample, error) {
	if r == nil {
		return sample{}, nil
	}
	n = max(1, min(n, r.db.conns-spareConnections))
	conns, steps := make([]*pgx.Conn, n), make([]step, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close(context.WithoutCancel(ctx)) // its work is done
			}
		}
	}()
	var g errgroup.Group
	g.SetLimit(16)
	for i := range conns {
		steps[i] = func(ctx context.Context) error { return r.insert(ctx, conns[i], i%len(r.tenants)) }
		g.Go(func() (err error) {
			if conns[i], err = connect(ctx, r.db.Owner); err == nil {
				_, err = conns[i].Prepare(ctx, sqlInsertRaw, sqlInsertRaw)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return sample{}, fmt.Errorf("%d connections for raw INSERTs: %w", n, err)
	}
	return runLoad(ctx, l.begin(), nil, steps)
}

func (r *rawLog) insert(ctx context.Context, c *pgx.Conn, tenant int) error {
	_, err := c.Exec(ctx, sqlInsertRaw, r.tenants[tenant].UUID(), r.heads[tenant].Add(1), string(r.def.Stream), newID[uuid.UUID](), 1,
		r.def.Type, int16(r.def.Version), time.Now(), r.actor, newID[uuid.UUID](), r.data, r.meta)
	if err != nil {
		return &failure{"raw", err}
	}
	return nil
}

// ratioSingle compares a load with raw INSERTs; nothing where there were none.
func ratioSingle(s, raw sample, r *report) []figure {
	if raw.Elapsed == 0 {
		return nil
	}
	raw.figures("", r) // counts the failures
	return []figure{{"raw_single_per_s", raw.perSecond(), 0}, {"ratio_single", ratio(s.perSecond(), raw.perSecond()), 2}}
}
