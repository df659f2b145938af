package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// rawBatch is how many rows a transaction of the batch limit inserts.
const rawBatch = 100

// sqlCreateRaw makes the table of the raw limits: the columns and keys of events,
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

// sqlInsertRawBatch inserts many; $1 is the tenant, $2 the first seq, $3 the
// streams, $4 the commands, one each a row, and the rest the columns from
// version on that all rows share.
const sqlInsertRawBatch = `
INSERT INTO docketbench_raw
SELECT $1::uuid, $2::bigint + u.n - 1, 'task', u.stream, 1, $5::text, $6::smallint, $7::timestamptz, $8::uuid, u.command, $9::json, $10::json
FROM unnest($3::uuid[], $4::uuid[]) WITH ORDINALITY AS u (stream, command, n)`

// rawLog takes the raw limits of a Postgres.
type rawLog struct {
	db      *database
	conns   int
	tenants []domain.TenantID
	// heads are the tenants' last seqs. In the raw table they cost nothing to find.
	heads []atomic.Int64
	row   rawRow
}

// rawRow is what all rows have in common: an event of the size that is appended.
type rawRow struct {
	typ, stream string
	schema      int16
	actor       uuid.UUID
	data, meta  json.RawMessage
}

// newRawLog makes the table; single will use conns connections.
func newRawLog(ctx context.Context, d *database, tenants, conns int) (*rawLog, error) {
	c, err := d.connect(ctx, "")
	if err != nil {
		return nil, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	w := newWriter(nil, newID[domain.TenantID]())
	def, data, err := domain.Encode(w.created())
	if err != nil {
		return nil, err
	}
	meta, err := json.Marshal(w.meta)
	if err != nil {
		return nil, err
	}
	r := &rawLog{
		db: d, tenants: newTenants(tenants), heads: make([]atomic.Int64, tenants), conns: conns,
		row: rawRow{
			typ: def.Type, stream: string(def.Stream), schema: int16(def.Version),
			actor: w.actor.UUID(), data: data, meta: meta,
		},
	}
	for _, sql := range []string{sqlDropRaw, sqlCreateRaw} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("table of the raw limits: %w", err)
		}
	}
	return r, nil
}

func (r *rawLog) eventBytes() int { return len(r.row.data) }

// drop removes the table.
func (r *rawLog) drop(ctx context.Context) error {
	c, err := r.db.connect(ctx, "")
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, sqlDropRaw)
	return errors.Join(err, c.Close(ctx))
}

// open opens connections on which sql is prepared.
func (r *rawLog) open(ctx context.Context, n int, sql string) ([]*pgx.Conn, func(), error) {
	conns := make([]*pgx.Conn, n)
	var g errgroup.Group
	g.SetLimit(16)
	for i := range conns {
		g.Go(func() (err error) {
			if conns[i], err = r.db.connect(ctx, ""); err == nil {
				_, err = conns[i].Prepare(ctx, sql, sql)
			}
			return err
		})
	}
	err := g.Wait()
	end := func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close(context.WithoutCancel(ctx)) // its work is done
			}
		}
	}
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("%d connections for the raw limits: %w", n, err)
	}
	return conns, end, nil
}

// single inserts one row per transaction on each connection.
func (r *rawLog) single(ctx context.Context, w window) (sample, error) {
	conns, end, err := r.open(ctx, r.conns, sqlInsertRaw)
	if err != nil {
		return sample{}, err
	}
	defer end()
	steps := make([]step, len(conns))
	for i, c := range conns {
		tenant := i % len(r.tenants)
		steps[i] = func(ctx context.Context) error {
			_, err := c.Exec(ctx, sqlInsertRaw, r.tenants[tenant].UUID(), r.heads[tenant].Add(1), r.row.stream,
				newID[uuid.UUID](), 1, r.row.typ, r.row.schema, time.Now(), r.row.actor, newID[uuid.UUID](), r.row.data, r.row.meta)
			return rawFailure(err)
		}
	}
	return closedLoop(ctx, w.begin(), steps)
}

// batch inserts many rows per transaction on one connection; an operation of its
// sample is a row.
func (r *rawLog) batch(ctx context.Context, w window) (sample, error) {
	conns, end, err := r.open(ctx, 1, sqlInsertRawBatch)
	if err != nil {
		return sample{}, err
	}
	defer end()
	turn := 0
	s, err := closedLoop(ctx, w.begin(), []step{func(ctx context.Context) error {
		tenant := turn % len(r.tenants)
		turn++
		streams, commands := make([]uuid.UUID, rawBatch), make([]uuid.UUID, rawBatch)
		for i := range rawBatch {
			streams[i], commands[i] = newID[uuid.UUID](), newID[uuid.UUID]()
		}
		_, err := conns[0].Exec(ctx, sqlInsertRawBatch, r.tenants[tenant].UUID(), r.heads[tenant].Add(rawBatch)-rawBatch+1,
			streams, commands, r.row.typ, r.row.schema, time.Now(), r.row.actor, r.row.data, r.row.meta)
		return rawFailure(err)
	}})
	s.Ops *= rawBatch
	return s, err
}

func rawFailure(err error) error {
	if err == nil {
		return nil
	}
	return &failure{"raw", err}
}
