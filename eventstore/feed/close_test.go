package feed_test

import (
	"context"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
	"errors"
	"testing"
)

// Close ends everything that a Feed began: handlers hear of it, what they did is
// rolled back, no connection stays in use. TestMain looks for goroutines.
func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	r := f.replica(feed.Config{})
	entered, heard := make(chan struct{}), make(chan error, 1)
	r.subscribe("a", func(ctx context.Context, p *feed.Page) error {
		if p.Tenant != tenant {
			return nil
		}
		if err := write(ctx, p); err != nil {
			return err
		}
		close(entered)
		<-ctx.Done()
		heard <- ctx.Err()
		return nil // an ack that comes too late
	})
	for _, name := range []string{"b", "c"} {
		r.subscribe(name, ignore)
	}
	f.listening(tenanttest.Session(t, f.DB.EngineURL), 1)
	<-entered
	closed := make(chan struct{})
	for range 2 {
		go func() {
			r.close()
			closed <- struct{}{}
		}()
	}
	<-closed
	<-closed
	if err := <-heard; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler heard %v, want cancelled", err)
	}
	if n := f.written("a", tenant); n != 0 {
		t.Errorf("%d events of the page were committed", n)
	}
	if c := f.checkpoint("a", tenant); c.Seq != 0 || c.Failures != 0 || c.Error != nil {
		t.Errorf("Close was counted as a failure: %+v", c)
	}
	f.Grow(r.store, tenant, 1) // a Store whose Feed is closed still appends
	r.engine.Close()           // returns when no connection is in use
	tenanttest.Until(t, tenanttest.Session(t, f.DB.EngineURL), `select count(*) = 0 from pg_stat_activity
where datname = current_database() and query = 'listen "docket_news"'`)
}

// When Close returns, no message comes any more.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := f.replica(feed.Config{})
	messages, err := r.feed.Subscribe(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	r.subscribe("b", ignore)
	r.wantsReached(f.Tenant(), 1, "b")
	if err := r.feed.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case _, open := <-messages:
		if open {
			t.Error("a message came after Close")
		}
	default:
		t.Error("the channel isn't closed")
	}
}
