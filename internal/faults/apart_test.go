//go:build linux

package faults_test

import (
	"context"
	"testing"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"
)

// What is read of one tenant's long log moves nothing in another's short one.
func TestTenantsStandApart(t *testing.T) {
	t.Parallel()
	l := newLogs(t, 3, 1)
	events := feed.New(feed.Config{Pool: l.engine, PageSize: 5, Sweep: 100 * time.Millisecond}, l.progress)
	messages, err := events.Subscribe(t.Context(), journal)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		handle := feed.Handle(func(ctx context.Context, p *feed.Page) error { return write(ctx, p, "one") })
		for m := range messages {
			if err := handle(m); err != nil {
				m.Nack()
			} else {
				m.Ack()
			}
		}
	}()
	t.Cleanup(func() {
		if err := events.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	for id := range l.heads {
		l.wantsJournal(id, "one")
	}
	more := 30
	for id := range l.heads {
		for range more {
			l.append(eventstore.Commit{Parts: []eventstore.Part{titled(id, newStream(t), 0)}})
		}
		l.wantsJournal(id, "one")
		more /= 3 // the next ends where this one has long been
	}
	for id := range l.heads {
		l.wantsJournal(id, "one")
		for _, v := range checkLogs(map[domain.TenantID][]domain.Recorded{id: readLog(t, l.engine, id)}) {
			t.Error(v)
		}
	}
}
