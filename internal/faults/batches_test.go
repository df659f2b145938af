//go:build linux

package faults_test

import (
	"errors"
	"sync"
	"testing"

	"docket/domain"
	"docket/eventstore"
)

// Commits that hang together are sent at the same moment through one Store, many
// at once so that they share a trip to Postgres where they may: a writer of a
// stream, and one who relies on that stream not having moved. Their order in the
// log is one that both allow.
func TestDependentCommits(t *testing.T) {
	t.Parallel()
	const pairs = 12
	l := newLogs(t, 2, 0)
	var ids []domain.TenantID
	for id := range l.heads {
		ids = append(ids, id)
	}
	guarded := make([]eventstore.Guard, pairs)
	for i := range guarded {
		guarded[i] = eventstore.Guard{Tenant: ids[i%2], Stream: newStream(t)}
	}
	together, refusals := 0, 0
	for range scaled(40) {
		type result struct {
			seq int64
			err error
		}
		writers, relying := make([]result, pairs), make([]result, pairs)
		start := make(chan struct{})
		var wait sync.WaitGroup
		send := func(into *result, c eventstore.Commit, t domain.TenantID) {
			c.Command = newID[domain.CommandID](l.t)
			wait.Go(func() {
				<-start
				done, err := l.store.Append(l.t.Context(), c)
				*into = result{done.Seq(t), err}
			})
		}
		for i, g := range guarded {
			part := func() []eventstore.Part { return []eventstore.Part{titled(g.Tenant, newStream(t), 0)} }
			send(&writers[i], eventstore.Commit{Parts: []eventstore.Part{titled(g.Tenant, g.Stream, g.Version)}}, g.Tenant)
			send(&relying[i], eventstore.Commit{Parts: part(), Guards: []eventstore.Guard{g}}, g.Tenant)
		}
		close(start)
		wait.Wait()
		for i := range guarded {
			var conflict *eventstore.ConflictError
			switch {
			case writers[i].err != nil:
				t.Fatalf("the only writer of the stream failed: %v", writers[i].err)
			case relying[i].err == nil && relying[i].seq > writers[i].seq:
				t.Errorf("seq %d relies on version %d of a stream that seq %d had moved", relying[i].seq, guarded[i].Version, writers[i].seq)
			case relying[i].err == nil:
				together++
			case errors.As(relying[i].err, &conflict):
				refusals++
			default:
				t.Fatal(relying[i].err)
			}
			guarded[i].Version++
		}
	}
	for id := range l.heads {
		for _, v := range checkLogs(map[domain.TenantID][]domain.Recorded{id: readLog(t, l.engine, id)}) {
			t.Error(v)
		}
	}
	t.Logf("%d relied in time, %d were refused", together, refusals)
	if together == 0 || refusals == 0 {
		t.Error("they never met, so nothing is proved")
	}
}
