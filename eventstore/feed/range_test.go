package feed_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
)

// largeEvents is how many events a log of large ones has, each of largeSize bytes or a
// little more: together more than two stretches are given.
const (
	largeEvents = 420
	largeSize   = 45_000
)

// growLarge appends that many, and returns the log's last seq.
func (f *fixture) growLarge(tenant domain.TenantID) (head int64) {
	f.T.Helper()
	const together = 20
	stream := newStream(f.T)
	for n := 0; n < largeEvents; n += together {
		p := eventstore.Part{Tenant: tenant, Stream: stream, Expected: n}
		for range together {
			p.Events = append(p.Events, domain.TaskUpdated{Title: strings.Repeat("t", largeSize)})
		}
		head = f.Append(f.Store, commit(f.T, p)).Seq(tenant)
	}
	return head
}

// However many events are asked for, no more of large ones are in memory at a time than
// stretches and pages may have; and none is lost where they are cut short.
func TestLargeEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.journal()
	tenant := f.Tenant()
	head := f.growLarge(tenant)
	const limit = largeEvents * 2

	// 8 MB and an event, of events a little larger than largeSize.
	const most = 8<<20/largeSize + 1
	wants := func(of string, after int64, events []domain.Recorded) {
		t.Helper()
		if len(events) > most {
			t.Errorf("%s has %d events, want %d at most", of, len(events), most)
		}
		for i, e := range events {
			if e.Seq != after+int64(i)+1 {
				t.Fatalf("%s has event %d after %d, as its number %d", of, e.Seq, after, i)
			}
		}
	}

	builds, err := feed.OpenBuilds(t.Context(), f.Engine, tenant, "")
	if err != nil {
		t.Fatal(err)
	}
	defer builds.Close()
	for after := int64(0); ; {
		s, err := builds.Read(t.Context(), after, math.MaxInt64, limit, nil)
		if err != nil {
			t.Fatal(err)
		}
		wants("a stretch", after, s.Events)
		if s.After != after || s.Through != after+int64(len(s.Events)) || s.More != (s.Through < head) {
			t.Fatalf("of %d events after %d, to %d, %d were read; more: %t", head, s.After, s.Through, len(s.Events), s.More)
		}
		if after = s.Through; !s.More {
			break
		}
	}
	if s, err := builds.Read(t.Context(), 0, math.MaxInt64, 5, nil); err != nil || !s.More || len(s.Events) != 5 {
		t.Errorf("of 5 events asked for %d were read; more: %t (%v)", len(s.Events), s.More, err)
	}

	b, err := builds.Start(t.Context(), "rows", 1)
	if err != nil {
		t.Fatal(err)
	}
	for {
		before := b.Seq()
		n, err := b.Page(t.Context(), limit, func(_ context.Context, p *feed.Page) error {
			wants("a build's page", before, p.Events)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	if b.Seq() != head {
		t.Errorf("the build ended at %d of %d events", b.Seq(), head)
	}

	r := f.replica(feed.Config{PageSize: limit})
	r.subscribe("a", func(ctx context.Context, p *feed.Page) error {
		if p.Tenant == tenant && len(p.Events) > most {
			t.Errorf("a page has %d events, want %d at most", len(p.Events), most)
		}
		return write(ctx, p)
	})
	r.wantsReached(tenant, head, "a")
	if n := f.written("a", tenant); int64(n) != head {
		t.Errorf("%d events were written, want %d", n, head)
	}
}
