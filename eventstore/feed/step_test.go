package feed_test

import (
	"context"
	"errors"
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

// statements are those of a pool, and which of them have no deadline.
type statements struct {
	mu      sync.Mutex
	all     []string
	endless []string
}

func (s *statements) note(ctx context.Context, what string) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, what)
	if _, ok := ctx.Deadline(); !ok {
		s.endless = append(s.endless, what)
	}
	return ctx
}

func (s *statements) count(part string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sql := range s.all {
		if strings.Contains(sql, part) {
			n++
		}
	}
	return n
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	return s.note(ctx, q.SQL)
}
func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return s.note(ctx, "a batch")
}
func (*statements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

func (s *statements) TraceAcquireStart(ctx context.Context, _ *pgxpool.Pool, _ pgxpool.TraceAcquireStartData) context.Context {
	return s.note(ctx, "acquire")
}
func (*statements) TraceAcquireEnd(context.Context, *pgxpool.Pool, pgxpool.TraceAcquireEndData) {}

// traced is a pool of the engine role whose statements are noted.
func (f *fixture) traced() (*pgxpool.Pool, *statements) {
	f.T.Helper()
	cfg, s := f.Engine.Config(), &statements{}
	cfg.ConnConfig.Tracer = s
	pool, err := pgxpool.NewWithConfig(f.T.Context(), cfg)
	if err != nil {
		f.T.Fatal(err)
	}
	f.T.Cleanup(pool.Close)
	return pool, s
}

// On a silent network there is neither an answer nor an error: what a program asks besides
// pages of events ends by itself, whichever context its caller has.
func TestStepsHaveDeadlines(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	pool, s := f.traced()
	for name, step := range map[string]func(context.Context, *feed.Builds) error{
		"Logs": func(ctx context.Context, _ *feed.Builds) error { _, err := feed.Logs(ctx, pool); return err },
		"ListOldRows": func(ctx context.Context, _ *feed.Builds) error {
			_, err := feed.ListOldRows(ctx, pool, []string{"a"})
			return err
		},
		"PendingBuilds": func(ctx context.Context, _ *feed.Builds) error {
			_, err := feed.PendingBuilds(ctx, pool, map[string]int{"a": 1})
			return err
		},
		"NoteFailure": func(ctx context.Context, _ *feed.Builds) error {
			return feed.NoteFailure(ctx, pool, tenant, "a", 1, errors.New("no"))
		},
		"RetryPostponed": func(ctx context.Context, _ *feed.Builds) error {
			_, err := feed.RetryPostponed(ctx, pool, "a", time.Second, func(context.Context, domain.TenantID, domain.Recorded) error { return nil })
			return err
		},
		"DropOld": func(ctx context.Context, b *feed.Builds) error {
			if _, err := f.Engine.Exec(t.Context(), `insert into generations (tenant_id, subscription, current, old_rows) values ($1, 'old', 2, true)`, tenant.UUID()); err != nil {
				return err
			}
			return b.DropOld(ctx, "old", func(context.Context, int) error { return nil })
		},
		"Supersede": func(ctx context.Context, b *feed.Builds) error {
			if _, err := b.Supersede(ctx, "new", 2); !errors.Is(err, feed.ErrNotNeeded) {
				return err
			}
			return nil
		},
		"StartLimited and Abandon": func(ctx context.Context, b *feed.Builds) error {
			build, err := b.StartLimited(ctx, "limited", 2)
			if err != nil {
				return err
			}
			return errors.Join(build.AwaitLive(ctx), build.Abandon(ctx, func(context.Context, int, int) error { return nil }))
		},
	} {
		builds, err := feed.OpenBuilds(context.Background(), pool, tenant, "test")
		if err != nil {
			t.Fatal(err)
		}
		if err := step(context.Background(), builds); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		builds.Close()
		if len(s.endless) > 0 {
			t.Errorf("%s without a deadline:\n%s", name, strings.Join(s.endless, "\n"))
		}
		s.endless = nil
	}
}

// What sweepSoon is called for during a sweep is found by another one, without a pause.
func TestSweepSoonDuringASweep(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	lock, err := f.DB.Owner(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := lock.Exec(t.Context(), `lock table generations in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	pool, s := f.traced()
	r := f.replicaOn(pool, feed.Config{Sweep: never})
	listens := r.feed.Listens()
	r.subscribe("a", ignore)
	tenanttest.Receive(t, "the feed doesn't listen", listens)
	tenanttest.Until(t, lock, `select exists (select from pg_locks where relation = 'generations'::regclass and not granted)`)
	during := s.count("tenant_logs t")
	r.feed.SweepSoon()
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	tenanttest.Eventually(t, "no sweep follows", func() (bool, any) { return s.count("tenant_logs t") > during, during })
}

// Where the copies that wait can't be counted, the server reports none as gone.
func TestPostponedThatCannotBeCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pool, _ := f.traced()
	if _, err := f.DB.Owner(t).Exec(t.Context(), `revoke select on postponed_copies from docket_engine`); err != nil {
		t.Fatal(err)
	}
	left, err := feed.RetryPostponed(t.Context(), pool, "a", time.Second, func(context.Context, domain.TenantID, domain.Recorded) error { return nil })
	if left != -1 || err == nil {
		t.Errorf("left are %d, %v; want -1 and an error", left, err)
	}
}
