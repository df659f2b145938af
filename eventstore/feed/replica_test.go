package feed_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// often is a sweep that tests need not wait for; never is one that doesn't come
	// while a test runs, but for the first, at the start.
	often = 50 * time.Millisecond
	never = 24 * time.Hour
)

// replica is a Store and a Feed with connections of their own.
type replica struct {
	t         *testing.T
	engine    *pgxpool.Pool
	api       *pgxpool.Pool
	store     *eventstore.Store
	feed      *feed.Feed
	positions *feed.Positions
	// warnings is the log, from level warning on.
	warnings tenanttest.Log
	handling sync.WaitGroup
}

// wantsSaid waits until the log has a text at least so many times, and returns how often
// it has.
func (r *replica) wantsSaid(text string, times int) (n int) {
	r.t.Helper()
	tenanttest.Eventually(r.t, fmt.Sprintf("the log hasn't %q %d times", text, times), func() (bool, any) {
		log := r.warnings.String()
		n = strings.Count(log, text)
		return n >= times, log
	})
	return n
}

// replica starts one that is closed when the test ends. Its Feed does nothing
// until it subscribes.
func (f *fixture) replica(cfg feed.Config) *replica {
	f.T.Helper()
	return f.replicaOn(f.DB.Engine(f.T), cfg)
}

// replicaOn is replica with a pool of the engine role.
func (f *fixture) replicaOn(engine *pgxpool.Pool, cfg feed.Config) *replica {
	f.T.Helper()
	api := f.DB.API(f.T)
	r := &replica{t: f.T, engine: engine, api: api, positions: feed.NewPositions(api)}
	cfg.Pool = r.engine
	if cfg.Sweep == 0 {
		cfg.Sweep = often
	}
	cfg.Logger = slog.New(slog.NewTextHandler(&r.warnings, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r.feed = feed.New(cfg, r.positions)
	r.store = eventstore.New(r.engine, api, r.feed)
	f.T.Cleanup(r.close)
	return r
}

func (r *replica) close() {
	if err := r.feed.Close(); err != nil {
		r.t.Error(err)
	}
	r.handling.Wait()
}

// leave is close for one of many: it gives its connections back too.
func (r *replica) leave() {
	r.close()
	r.engine.Close()
	r.api.Close()
}

// subscribe runs a subscription until the replica is closed. An error nacks.
func (r *replica) subscribe(name string, do func(context.Context, *feed.Page) error) {
	r.t.Helper()
	r.subscribeWith(name, feed.Handle(do))
}

// subscribeWith is subscribe with a handler of messages.
func (r *replica) subscribeWith(name string, handle message.NoPublishHandlerFunc) {
	r.t.Helper()
	messages, err := r.feed.Subscribe(context.Background(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.handling.Go(func() {
		for m := range messages {
			r.handling.Go(func() {
				if err := handle(m); err != nil {
					m.Nack()
				} else {
					m.Ack()
				}
			})
		}
	})
}

// wantsReached waits until a subscription has come to a seq.
func (r *replica) wantsReached(t domain.TenantID, seq int64, subscriptions ...string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), tenanttest.MaxWait)
	defer cancel()
	if !r.positions.Await(ctx, t, seq, subscriptions...) {
		r.t.Fatalf("after %s not all of %v have come to event %d; the log is:\n%s", tenanttest.MaxWait, subscriptions, seq, r.warnings.String())
	}
}

// journal is where handlers in tests write what they see, in the page's
// transaction. An event that is seen twice breaks its key.
func (f *fixture) journal() {
	f.T.Helper()
	if _, err := f.DB.Owner(f.T).Exec(f.T.Context(), `create table journal (
  subscription text, tenant_id uuid, seq bigint, primary key (subscription, tenant_id, seq));
grant select, insert on journal to docket_engine`); err != nil {
		f.T.Fatal(err)
	}
}

// errOrder says that a page doesn't start where the last one ended.
var errOrder = errors.New("events out of order")

// write is a handler that writes its page into the journal. It fails where an
// event comes twice, or not after the one before.
func write(ctx context.Context, p *feed.Page) error {
	var last int64
	err := p.Tx.QueryRow(ctx, `select coalesce(max(seq), 0) from journal where subscription = $1 and tenant_id = $2`,
		p.Subscription, p.Tenant.UUID()).Scan(&last)
	if err != nil {
		return err
	}
	for _, e := range p.Events {
		if e.Tenant != p.Tenant || e.Seq != last+1 {
			return errOrder
		}
		last = e.Seq
		if _, err := p.Tx.Exec(ctx, `insert into journal values ($1, $2, $3)`, p.Subscription, p.Tenant.UUID(), e.Seq); err != nil {
			return err
		}
	}
	return nil
}

// written is how many of a tenant's events a subscription has in the journal.
func (f *fixture) written(subscription string, t domain.TenantID) int {
	f.T.Helper()
	var n int
	if err := f.Engine.QueryRow(f.T.Context(), `select count(*) from journal where subscription = $1 and tenant_id = $2`,
		subscription, t.UUID()).Scan(&n); err != nil {
		f.T.Fatal(err)
	}
	return n
}

// checkpoint is the row that says where a subscription stands.
type checkpoint struct {
	Seq       int64
	CarefulTo int64
	Failures  int
	RetryAt   *time.Time
	Error     *string
}

func (f *fixture) checkpoint(subscription string, t domain.TenantID) checkpoint {
	f.T.Helper()
	rows, err := f.Engine.Query(f.T.Context(), `select seq, careful_to, failures, retry_at, error from checkpoints
where subscription = $1 and tenant_id = $2`, subscription, t.UUID())
	if err != nil {
		f.T.Fatal(err)
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[checkpoint])
	if err != nil {
		f.T.Fatal(err)
	}
	return c
}

// wantsUntroubled fails if a checkpoint is at another seq or has a failure.
func (f *fixture) wantsUntroubled(subscription string, t domain.TenantID, seq int64) {
	f.T.Helper()
	if c := f.checkpoint(subscription, t); c.Seq != seq || c.Failures != 0 || c.RetryAt != nil || c.Error != nil {
		f.T.Errorf("the checkpoint of %s is %+v, want it at %d without failures", subscription, c, seq)
	}
}
