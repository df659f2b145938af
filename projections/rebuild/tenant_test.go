package rebuild

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// breaker is what a rebuild reads, with readings that fail as where the connection is
// lost.
type breaker struct {
	mu sync.Mutex
	// failing is how many more of the shared readings fail.
	failing int
	// shared counts those that don't, and alone has the page limits of the readings of one
	// build alone.
	shared int
	alone  []int
}

func (b *breaker) TraceQueryStart(ctx context.Context, c *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !strings.Contains(data.SQL, "seq <> all (coalesce($5::bigint[]"):
	case c.PgConn().TxStatus() == 'T': // in a build's own transaction
		b.alone = append(b.alone, data.Args[5].(int))
	case b.failing > 0:
		b.failing--
		ended, end := context.WithCancel(ctx)
		end()
		return ended
	default:
		b.shared++
	}
	return ctx
}

func (b *breaker) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// on is a Rebuilder whose readings the breaker breaks.
func (b *breaker) on(t *testing.T, w *world) *Rebuilder {
	t.Helper()
	cfg := w.Engine.Config()
	cfg.ConnConfig.Tracer = b
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return New(pool)
}

// A connection that is lost in the middle ends neither the rebuild nor the shared
// reading.
func TestRebuildReadsOnTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 10)
	b := &breaker{failing: 2}
	r := b.on(t, w)
	r.PageSize = 5
	if err := r.Rebuild(t.Context(), []domain.TenantID{c.ID}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if b.shared < int(c.Head())/5 || len(b.alone) > 0 {
		t.Errorf("%d stretches were read for all, and pages of %v by single builds", b.shared, b.alone)
	}
	w.isFoldOfLog(t, c, "projects")
	w.isFoldOfLog(t, c, "activity")
}

// Where nothing can be read for all, each goes on alone, in pages that grow.
func TestRebuildReadsOnAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 2)
	w.lengthen(t, c, 2_000)
	b := &breaker{failing: 1_000}
	if err := b.on(t, w).Rebuild(t.Context(), []domain.TenantID{c.ID}, []string{"projects"}, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.alone, []int{500, 1_000, 2_000}) {
		t.Errorf("pages of %v", b.alone)
	}
	w.isFoldOfLog(t, c, "projects")
}

// An unreadable event is no failure of the database: no read model waits, and each meets
// the event by itself. A read model that ignores the event goes past it.
func TestRebuildPastAnUnreadableEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ann := w.Company(t, 4)
	at := c.Head() + 1
	if _, err := w.Engine.Exec(t.Context(), `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at, command_id, data, meta)
select $1, $2, e.stream_type, gen_random_uuid(), 1, 'project.updated', e.schema_version, e.occurred_at + interval '1 microsecond', gen_random_uuid(), '[]', '{}'
from events e where e.tenant_id = $1 and e.seq = $2::bigint - 1`, c.ID.UUID(), at); err != nil {
		t.Fatal(err)
	}
	c.Log = append(c.Log, domain.Recorded{})
	c.CreateProject(t, ann, "After it")
	if _, err := w.Engine.Exec(t.Context(), `insert into skips (tenant_id, subscription, seq, recorded) values ($1, 'projects', $2, $2::bigint + 1)`, c.ID.UUID(), at); err != nil {
		t.Fatal(err)
	}
	b := &breaker{}
	var done, failed []string
	err := b.on(t, w).Rebuild(t.Context(), []domain.TenantID{c.ID}, []string{"projects", "summaries"}, func(p Progress) {
		switch {
		case p.Done:
			done = append(done, p.Model)
		case p.Err != nil:
			failed = append(failed, p.Model)
		}
	})
	if !feed.UnreadableEvent(err) || !slices.Equal(done, []string{"projects"}) || !slices.Equal(failed, []string{"summaries"}) || b.shared != 1 {
		t.Errorf("done %v, failed %v, read %d times for all: %v", done, failed, b.shared, err)
	}
}

// A database that is gone is waited for, and then told once and not for each read model of
// each tenant that is left.
func TestRebuildWithoutADatabase(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), "postgres:///docket?host="+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	r, waited := New(pool), 0
	r.pause = func(context.Context, time.Duration) bool { waited++; return true }
	tenants := []domain.TenantID{tenanttest.NewID[domain.TenantID](t), tenanttest.NewID[domain.TenantID](t), tenanttest.NewID[domain.TenantID](t)}
	for name, do := range map[string]func() error{
		"rebuild": func() error {
			return r.Rebuild(t.Context(), tenants, nil, func(p Progress) { t.Errorf("told %+v", p) })
		},
		"verify": func() error {
			return r.Verify(t.Context(), tenants, nil, Verification{Verdict: func(v Verdict) { t.Errorf("told %+v", v) }})
		},
	} {
		waited = 0
		err := do()
		var gone *UnreachableError
		if !errors.As(err, &gone) || strings.Count(err.Error(), "\n") > 0 || waited == 0 {
			t.Errorf("%s: after %d pauses: %v", name, waited, err)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	r.pause = func(context.Context, time.Duration) bool { stop(); return false }
	if err := r.Rebuild(ctx, tenants, nil, func(p Progress) {
		if !errors.Is(p.Err, context.Canceled) {
			t.Errorf("stopped meanwhile it told %+v", p)
		}
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped meanwhile: %v", err)
	}
}

// A stretch that large events have cut short isn't the log's end: the reading for all goes on.
func TestRebuildReadsOnAfterLargeEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, _ := w.Company(t, 2)
	const large, bytes = 420, 45_000
	if _, err := w.Engine.Exec(t.Context(), `insert into events (tenant_id, seq, stream_type, stream_id, version, type, schema_version, occurred_at, command_id, data, meta)
select $1, $2 + n, 'task', gen_random_uuid(), 1, 'task.deleted', 1, clock_timestamp() + n * interval '1 ms', gen_random_uuid(),
  json_build_object('project_id', $3::uuid, 'title', repeat('t', $4)), '{}' from generate_series(1, $5::integer) n`,
		c.ID.UUID(), c.Head(), c.ProjectIDs[0].UUID(), bytes, large); err != nil {
		t.Fatal(err)
	}
	b := &breaker{}
	if err := b.on(t, w).Rebuild(t.Context(), []domain.TenantID{c.ID}, []string{"activity"}, nil); err != nil {
		t.Fatal(err)
	}
	if b.shared < 3 || len(b.alone) > 0 {
		t.Errorf("%d stretches were read for all, and pages of %v by single builds", b.shared, b.alone)
	}
}
