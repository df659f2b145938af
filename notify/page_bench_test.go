package notify_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/notify"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// statementCounter is a pgx tracer that counts statements.
type statementCounter struct{ n atomic.Int64 }

func (c *statementCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}

func (c *statementCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *statementCounter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (c *statementCounter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {
	c.n.Add(1)
}

func (c *statementCounter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// BenchmarkPage handles a page of 200 events, each of which notifies one of 20 members,
// and reports the statements of a page, BEGIN and COMMIT included.
func BenchmarkPage(b *testing.B) {
	for _, channel := range []string{"in_app", "email"} {
		b.Run(channel, func(b *testing.B) { benchmarkPage(b, channel, 200, 20) })
	}
}

func benchmarkPage(b *testing.B, channel string, events, members int) {
	w := newWorld(b)
	users := make([]domain.UserID, members)
	for i := range users {
		users[i] = newID[domain.UserID](b)
	}
	tenant, _ := w.tenant(users...)
	last := w.configure(tenant, map[string]string{"default_notification_channel": fmt.Sprintf("%q", channel)})
	w.queued(tenant, last.Seq)
	page := make([]domain.Recorded, events)
	for i := range page {
		page[i] = w.assign(tenant, users[i%members], users[(i+1)%members])
	}

	var counter statementCounter
	cfg := w.engine.Config()
	cfg.ConnConfig.Tracer = &counter
	pool, err := pgxpool.NewWithConfig(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	handled := func() {
		err := pgx.BeginFunc(b.Context(), pool, func(tx pgx.Tx) error {
			p := &feed.Page{Subscription: notify.SubscriptionName, Tenant: tenant, Events: page, Tx: tx}
			if err := notify.HandlePage(b.Context(), p); err != nil {
				return err
			}
			return p.Flush(b.Context())
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	handled() // statements are prepared
	statements := int64(0)
	for b.Loop() {
		b.StopTimer()
		if _, err := w.engine.Exec(b.Context(), `delete from notifications; delete from deliveries`); err != nil {
			b.Fatal(err)
		}
		before := counter.n.Load()
		b.StartTimer()
		handled()
		statements += counter.n.Load() - before
	}
	b.ReportMetric(float64(statements)/float64(b.N), "statements/page")
	var rows int
	if err := w.engine.QueryRow(b.Context(), `select count(*) from notifications`).Scan(&rows); err != nil || rows != events {
		b.Fatalf("%d notifications after a page, want %d (%v)", rows, events, err)
	}
}
