package main

import (
	"context"
	"encoding/json"
	"fmt"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/postgres"

	"golang.org/x/sync/errgroup"
)

// The preload's parallel sessions, and how many rows one statement writes.
const (
	preloadSessions = 2
	preloadRows     = 50_000
)

// sqlPreloadTenants begins the logs of the tenants $1.
const sqlPreloadTenants = `INSERT INTO tenant_logs SELECT unnest($1::uuid[])`

// sqlPreloadEvents writes the events from seq $2 to $3 of each of the tenants $1:
// tasks of $4 events each, whose ids are UUIDv7 that grow with seq. $5 is the actor
// and $6 the meta of all of them; $7 is the type and $8 the data of a task's first
// event, $9 and $10 are those of the others, and $11 is the task that stands in both
// instead of the real one. Time starts at the beginning of 2026 and goes on by a
// second with each seq.
const sqlPreloadEvents = `
INSERT INTO events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at, actor_id, command_id, data, meta)
SELECT t.id, s.seq, 'task', task.id::uuid, task.version,
       CASE task.version WHEN 1 THEN $7::text ELSE $9::text END, 1, timestamptz '2026-01-01 00:00:00Z' + s.seq * interval '1 second',
       $5::uuid, overlay(overlay(md5(s.seq::text || t.id::text)
         placing lpad(to_hex(1767225600000 + s.seq * 1000), 12, '0') || '7' from 1 for 13) placing 'a' from 17 for 1)::uuid,
       replace(CASE task.version WHEN 1 THEN $8::text ELSE $10::text END, $11::text, task.id)::json, $6::json
FROM unnest($1::uuid[]) AS t (id), generate_series($2::bigint, $3::bigint) AS s (seq),
  LATERAL (SELECT (s.seq - 1) % $4::bigint + 1 AS version,
    overlay(overlay(md5(t.id::text || ((s.seq - 1) / $4::bigint)::text)
      placing lpad(to_hex(1767225600000 + (s.seq - 1) / $4::bigint * 1000), 12, '0') || '7' from 1 for 13)
      placing 'a' from 17 for 1)::uuid::text AS id) AS task
ORDER BY t.id, s.seq`

// sqlAfterPreload is what autovacuum would do by and by, and in the midst of what is
// measured.
var sqlAfterPreload = []string{`VACUUM (ANALYZE) events`, `VACUUM (ANALYZE) tenant_logs`}

// preload fills the store with at least n events, shared evenly by so many tenants,
// who grow at the same pace, and moves the writers into some of them. It writes
// what appends would have written, but past the append function, as the engine's
// role. It returns how many events it wrote.
func (b *appendBench) preload(ctx context.Context, n, tenants int) (int, error) {
	ids := newTenants(tenants)
	each := int64((n + tenants - 1) / tenants)
	if err := b.db.preload(ctx, ids, each); err != nil {
		return 0, fmt.Errorf("preload: %w", err)
	}
	for i := range b.writers {
		// Spread over all that were filled, not the neighbours in the index.
		at := i % b.plan.Tenants * (tenants / b.plan.Tenants)
		w := newWriter(b.store, ids[at])
		if _, err := b.store.Append(ctx, eventstore.Commit{
			Command: newID[domain.CommandID](), Parts: []eventstore.Part{w.joins()},
		}); err != nil {
			return 0, fmt.Errorf("preload: %w", err)
		}
		b.writers[i] = w
	}
	return int(each) * tenants, nil
}

// preload begins the tenants' logs, with so many events each.
func (d *database) preload(ctx context.Context, ids []domain.TenantID, each int64) error {
	pool, err := postgres.Pool(ctx, d.Engine, postgres.PoolConfig{Role: postgres.EngineRole, MaxConns: preloadSessions, AppName: "docketbench"})
	if err != nil {
		return err
	}
	defer pool.Close()
	w := newWriter(nil, domain.TenantID{})
	first, created, err := domain.Encode(w.next())
	if err != nil {
		return err
	}
	w.version++
	second, updated, err := domain.Encode(w.next())
	if err != nil {
		return err
	}
	meta, err := json.Marshal(w.meta)
	if err != nil {
		return err
	}
	if _, err := pool.Exec(ctx, sqlPreloadTenants, ids); err != nil {
		return err
	}
	pace := max(1, int64(preloadRows/len(ids)))
	for from := int64(1); from <= each; from += pace {
		// Each session takes its share of the tenants, one stretch of seqs at a time.
		g, ctx := errgroup.WithContext(ctx)
		for part := range preloadSessions {
			share := ids[len(ids)*part/preloadSessions : len(ids)*(part+1)/preloadSessions]
			g.Go(func() error {
				_, err := pool.Exec(ctx, sqlPreloadEvents, share, from, min(from+pace-1, each), taskLength, w.actor, meta,
					first.Type, created, second.Type, updated, w.task.String())
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return d.tidy(ctx)
}

// tidy brings the store to rest, so that what follows isn't measured in the
// aftermath of the preload.
func (d *database) tidy(ctx context.Context) error {
	c, err := d.connect(ctx, "")
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	for _, sql := range sqlAfterPreload {
		if _, err := c.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return d.checkpoint(ctx)
}
