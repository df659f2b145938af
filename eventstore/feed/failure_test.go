package feed_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

var errBad = errors.New("bad event")

// due makes a parked checkpoint's retry due.
func (f *fixture) due(subscription string, t domain.TenantID) {
	f.T.Helper()
	if _, err := f.Engine.Exec(f.T.Context(), `update checkpoints set retry_at = clock_timestamp()
where subscription = $1 and tenant_id = $2 and retry_at is not null`, subscription, t.UUID()); err != nil {
		f.T.Fatal(err)
	}
}

// parked waits until a subscription of a tenant has failed at a single event so
// many times in a row.
func (f *fixture) parked(subscription string, t domain.TenantID, failures int) checkpoint {
	f.T.Helper()
	tenanttest.Until(f.T, f.Engine, `select exists (select from checkpoints
where subscription = $1 and tenant_id = $2 and failures >= $3 and retry_at is not null)`, subscription, t.UUID(), failures)
	return f.checkpoint(subscription, t)
}

// If an event can't be handled, the events before it are committed, each once. It is
// retried with growing pauses, and other tenants don't wait. When the cause is gone, the
// subscription continues.
func TestPoisonEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	sick, well := f.Tenant(), f.Tenant()
	const bad = 7
	head := f.Grow(f.Store, sick, 11)
	f.Grow(f.Store, well, 11)
	var calls, alone atomic.Int32 // alone: those up to the first with the bad event alone
	var cured atomic.Bool
	r := f.replica(feed.Config{PageSize: 100})
	r.subscribe("a", func(ctx context.Context, p *feed.Page) error {
		if p.Tenant == sick {
			calls.Add(1)
		}
		if err := write(ctx, p); err != nil {
			return err
		}
		for _, e := range p.Events {
			if p.Tenant == sick && e.Seq == bad && !cured.Load() {
				if len(p.Events) == 1 {
					alone.CompareAndSwap(0, calls.Load())
				}
				return errBad
			}
		}
		return nil
	})
	r.subscribe("b", write)

	c := f.parked("a", sick, 1)
	if c.Seq != bad-1 || c.CarefulTo != head || c.Error == nil || !strings.Contains(*c.Error, errBad.Error()) {
		t.Errorf("the checkpoint is %+v", c)
	}
	if until := time.Until(*c.RetryAt); until > feed.RetryDelay(c.Failures-1)+time.Second {
		t.Errorf("after %d failures the retry is %s away", c.Failures, until)
	}
	if n := f.written("a", sick); n != bad-1 {
		t.Errorf("%d events before the bad one were committed, want %d", n, bad-1)
	}
	// The whole page, then one event at a time up to the bad one.
	if n := alone.Load(); n != 1+bad {
		t.Errorf("the handler was called %d times, want %d", n, 1+bad)
	}
	r.wantsReached(well, f.Grow(r.store, well, 5), "a", "b")
	r.wantsReached(sick, f.Grow(r.store, sick, 5), "b")

	f.due("a", sick)
	again := f.parked("a", sick, 2)
	if again.Seq != bad-1 || again.Failures < 2 {
		t.Errorf("after a second try the checkpoint is %+v", again)
	}
	if n := f.written("a", sick); n != bad-1 {
		t.Errorf("a failed try left its writes: %d events, want %d", n, bad-1)
	}

	cured.Store(true)
	f.due("a", sick)
	r.wantsReached(sick, head+5, "a")
	if n := f.written("a", sick); int64(n) != head+5 {
		t.Errorf("%d events were written, want %d", n, head+5)
	}
	f.wantsUntroubled("a", sick, head+5)
}

// The pause grows with every failure, up to a most.
func TestRetryDelay(t *testing.T) {
	t.Parallel()
	last := time.Duration(0)
	for failures := range 100 {
		d := feed.RetryDelay(failures)
		if d < last || d > 5*time.Minute || d < time.Second {
			t.Errorf("after %d failures the pause is %s, before it was %s", failures, d, last)
		}
		last = d
	}
	if last != 5*time.Minute {
		t.Errorf("the longest pause is %s", last)
	}
}

// Whatever way a handler ends badly, what it wrote is gone, the next try starts
// from the same place, and the operators can read why.
func TestHandlersThatEndBadly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end    func(ctx context.Context, p *feed.Page) error
		reason string
	}{
		"an error":            {func(context.Context, *feed.Page) error { return errBad }, errBad.Error()},
		"a panic":             {func(context.Context, *feed.Page) error { panic("out of cheese") }, "out of cheese"},
		"acks after its time": {func(ctx context.Context, _ *feed.Page) error { <-ctx.Done(); return nil }, "deadline exceeded"},
		"nacks after its time": {func(ctx context.Context, _ *feed.Page) error { <-ctx.Done(); return ctx.Err() },
			"deadline exceeded"},
		"acks an aborted transaction": {func(ctx context.Context, p *feed.Page) error {
			_, _ = p.Tx.Exec(ctx, `select 1/0`)
			return nil
		}, "can't be committed"},
		"ends the transaction": {func(ctx context.Context, p *feed.Page) error { return p.Tx.Rollback(ctx) }, "can't be committed"},
		"queues what fails": {func(_ context.Context, p *feed.Page) error {
			p.Queue(`select 1/0`)
			return nil
		}, "division by zero"},
		"queues what can't be encoded": {func(_ context.Context, p *feed.Page) error {
			p.Queue(`select $1::int4`, int64(1)<<40)
			return nil
		}, "greater than maximum"},
		"queues too few arguments": {func(_ context.Context, p *feed.Page) error {
			p.Queue(`select $1::int4, $2::int4`, 1)
			return nil
		}, "argument"},
		"queues what panics": {func(_ context.Context, p *feed.Page) error {
			p.Queue(`select $1::text`, panics{})
			return nil
		}, "panic: out of cheese"},
		"queues what takes too long": {func(_ context.Context, p *feed.Page) error {
			p.Queue(`select pg_sleep(60)`)
			return nil
		}, "not within 5s"},
		"loses its connection": {func(ctx context.Context, p *feed.Page) error { return p.Tx.Conn().Close(ctx) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.journal()
			tenant := f.Tenant()
			head := f.Grow(f.Store, tenant, 4)
			r := f.replica(feed.Config{Timeout: 2 * time.Second})
			router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
			if err != nil {
				t.Fatal(err)
			}
			router.AddMiddleware(middleware.Recoverer)
			var tries atomic.Int32
			var reason string
			told := make(chan error, 1)
			router.AddConsumerHandler("a", "a", r.feed, feed.Handle(func(ctx context.Context, p *feed.Page) error {
				if err := write(ctx, p); err != nil {
					return err
				}
				if p.Tenant != tenant {
					return nil
				}
				switch tries.Add(1) {
				case 1:
					return c.end(ctx, p)
				case 2:
					return p.Tx.QueryRow(ctx, `select coalesce(error, '') from checkpoints where tenant_id = $1`, tenant.UUID()).Scan(&reason)
				}
				return nil
			}))
			go func() { told <- router.Run(context.Background()) }()
			t.Cleanup(func() {
				if err := router.Close(); err != nil {
					t.Error(err)
				}
				<-told
			})
			r.wantsReached(tenant, head, "a")
			if n := f.written("a", tenant); int64(n) != head {
				t.Errorf("%d events were written, want %d", n, head)
			}
			if !strings.Contains(reason, c.reason) {
				t.Errorf("the checkpoint said %q, want %q", reason, c.reason)
			}
			if c.reason != "" && tries.Load() != int32(1+head) {
				t.Errorf("the handler was tried %d times, want the page and then each event", tries.Load())
			}
			f.wantsUntroubled("a", tenant, head)
		})
	}
}

// panics can't be encoded.
type panics struct{}

func (panics) Value() (driver.Value, error) { panic("out of cheese") }

// Close ends what a handler has queued, if that takes long, and nothing of it is done.
func TestCloseWhileQueuedStatementsRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	r := f.replica(feed.Config{Timeout: time.Hour})
	queued := make(chan struct{}, 1)
	r.subscribe("a", func(ctx context.Context, p *feed.Page) error {
		if err := write(ctx, p); err != nil || p.Tenant != tenant {
			return err
		}
		p.Queue(`select pg_sleep(3600)`)
		queued <- struct{}{}
		return nil
	})
	<-queued
	r.close()
	if n := f.written("a", tenant); n != 0 {
		t.Errorf("%d events were written", n)
	}
	f.wantsUntroubled("a", tenant, 0)
}

// A nack without a word is a failure too.
func TestNackWithoutAReason(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant := f.Tenant()
	r := f.replica(feed.Config{})
	messages, err := r.feed.Subscribe(context.Background(), "silent")
	if err != nil {
		t.Fatal(err)
	}
	r.handling.Go(func() {
		for m := range messages {
			m.Nack()
		}
	})
	if c := f.parked("silent", tenant, 1); !strings.Contains(*c.Error, "without a reason") {
		t.Errorf("got %q", *c.Error)
	}
}

// A handler that doesn't listen to its context has its connection cut, so that
// the tenant isn't held up for ever.
func TestHandlerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	head := f.Grow(f.Store, tenant, 2)
	r := f.replica(feed.Config{Timeout: time.Second})
	free := make(chan struct{})
	var stuck atomic.Bool
	r.subscribe("a", func(_ context.Context, p *feed.Page) error {
		if err := write(context.Background(), p); err != nil {
			return err
		}
		if p.Tenant == tenant && stuck.CompareAndSwap(false, true) {
			// Postgres alone wouldn't end it: that is the Feed's to do.
			_, err := p.Tx.Exec(context.Background(), `set local idle_in_transaction_session_timeout = 0`)
			<-free
			return err
		}
		return nil
	})
	r.wantsReached(tenant, head, "a")
	close(free)
	if n := f.written("a", tenant); int64(n) != head {
		t.Errorf("%d events were written, want %d", n, head)
	}
}

// A damaged event is a failure of its own, which stops that tenant alone and
// hides nothing before it.
func TestDamagedEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant, well := f.Tenant(), f.Tenant()
	head := f.Grow(f.Store, tenant, 3)
	f.Raw(tenanttest.RawEvent{Tenant: tenant, Seq: head + 1, Stream: newStream(t), Version: 1, EventType: "task.updated", Data: `{"title": 7}`})
	r := f.replica(feed.Config{})
	r.subscribe("a", write)
	c := f.parked("a", tenant, 1)
	if c.Seq != head || !strings.Contains(*c.Error, "damaged") {
		t.Errorf("the checkpoint is %+v (%s)", c, *c.Error)
	}
	if n := f.written("a", tenant); int64(n) != head {
		t.Errorf("%d events were written, want %d", n, head)
	}
	r.wantsReached(well, f.Grow(r.store, well, 3), "a")
}
