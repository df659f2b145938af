package feed_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore/feed"
	"docket/internal/tenanttest"
)

// beyond are events that this version can't read, each in a way of its own. The
// last is decoded, and refused by the handler that folds it.
var beyond = map[string]tenanttest.RawEvent{
	"a type":           {EventType: "task.archived"},
	"a schema version": {EventType: "task.updated", Schema: 2},
	"a key in the data": {EventType: "user.renamed", Data: `{"from":{"$p":{"subject":"01a2089e-4db8-7f7c-b258-421961d6e560","key":"none","value":"x"}},
"name":{"$p":{"subject":"01a2089e-4db8-7f7c-b258-421961d6e560","key":"k1","value":{"ct":"c2VjcmV0"}}}}`},
	"a key in the meta": {EventType: "task.updated",
		Meta: `{"actor_name":{"$p":{"subject":"01a2089e-4db8-7f7c-b258-421961d6e560","key":"k1","value":"x"}}}`},
	"a field": {EventType: "task.updated", Data: `{"changes":[{"field":"budget","from":null,"to":7}]}`},
}

// Whatever a newer version wrote, an older replica's subscriptions stop before it,
// one tenant at a time. They park nothing, count nothing and say so once; when
// a newer replica has gone past it they go on.
func TestOlderReplicaLeavesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, e := range beyond {
		for _, size := range []int{1, 100} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.journal()
				tenant, well := f.Tenant(), f.Tenant()
				head := f.Grow(f.Store, tenant, 3)
				e := e
				e.Tenant, e.Seq, e.Stream, e.Version = tenant, head+1, newStream(t), 1
				f.Raw(e)
				last := f.Grow(f.Store, tenant, 3)
				r := f.replica(feed.Config{PageSize: size})
				for _, name := range []string{"a", "b"} {
					r.subscribe(name, foldTasks)
				}
				r.wantsReached(tenant, head, "a", "b")
				for range 3 { // several sweeps find it again
					r.wantsReached(well, f.Grow(r.store, well, 1), "a", "b")
				}
				for _, name := range []string{"a", "b"} {
					f.wantsUntroubled(name, tenant, head)
					if n := f.written(name, tenant); int64(n) != head {
						t.Errorf("%s has written %d events, want the %d before it", name, n, head)
					}
				}
				if n := r.wantsSaid("left to a newer version", 2); n > 4 {
					t.Errorf("it was said %d times:\n%s", n, r.warnings.String())
				}
				if strings.Contains(r.warnings.String(), "ERROR") {
					t.Errorf("an error was logged:\n%s", r.warnings.String())
				}

				// What a newer replica does.
				f.passed("a", tenant, head+1)
				r.wantsReached(tenant, last, "a")
				f.wantsUntroubled("a", tenant, last)
				f.wantsUntroubled("b", tenant, head)
			})
		}
	}
}

// foldTasks is write for one who folds what it gets, as read models do.
func foldTasks(ctx context.Context, p *feed.Page) error {
	if err := write(ctx, p); err != nil {
		return err
	}
	for _, e := range p.Events {
		if e.Stream.Type != domain.TaskStream {
			continue
		}
		if _, err := (domain.Task{}).Evolve(e); err != nil {
			return err
		}
	}
	return nil
}

// passed has a subscription go past an event, as a newer replica would.
func (f *fixture) passed(subscription string, t domain.TenantID, seq int64) {
	f.T.Helper()
	if _, err := f.Engine.Exec(f.T.Context(), `insert into journal values ($1, $2, $3)`, subscription, t.UUID(), seq); err != nil {
		f.T.Fatal(err)
	}
	done, err := f.Engine.Exec(f.T.Context(), `update checkpoints set seq = $3 where subscription = $1 and tenant_id = $2 and seq = $3 - 1`,
		subscription, t.UUID(), seq)
	if err != nil || done.RowsAffected() != 1 {
		f.T.Fatalf("%d checkpoints advanced: %v", done.RowsAffected(), err)
	}
}

// A build of an older replica stops before it, for that tenant alone, and leaves
// the live generation as it is.
func TestBuildOfAnOlderReplica(t *testing.T) {
	t.Parallel()
	for name, e := range beyond {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.journal()
			tenant := f.Tenant()
			head := f.Grow(f.Store, tenant, 3)
			e.Tenant, e.Seq, e.Stream, e.Version = tenant, head+1, newStream(t), 1
			f.Raw(e)
			build, err := tenanttest.StartBuild(t.Context(), f.Engine, tenant, "a", 1)
			if err != nil {
				t.Fatal(err)
			}
			defer build.Close()
			for _, size := range []int{100, 1} {
				for {
					var n int
					if n, err = build.Page(t.Context(), size, foldTasks); err != nil || n == 0 {
						break
					}
				}
				if !errors.Is(err, domain.ErrUnknownEvent) {
					t.Errorf("pages of %d: got %v, want ErrUnknownEvent", size, err)
				}
			}
			if build.Seq() != head {
				t.Errorf("the build is at %d, want %d", build.Seq(), head)
			}
		})
	}
}
