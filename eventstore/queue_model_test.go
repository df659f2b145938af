package eventstore

import (
	"testing"

	"docket/domain"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// Through any sequence of enqueue, withdraw, complete and requeue, each Commit gets one
// outcome or is withdrawn, none waits while a batch could be sent, and the queue ends
// empty.
func TestQueueModel(t *testing.T) {
	t.Parallel()
	tenants := make([]domain.TenantID, 7)
	for i := range tenants {
		tenants[i] = domain.TenantID(uuid.NewSHA1(uuid.Nil, []byte{byte(i)}))
	}
	tenants[0] = domain.Platform
	streams := make([]uuid.UUID, 4)
	for i := range streams {
		streams[i] = uuid.New()
	}
	rapid.Check(t, func(r *rapid.T) {
		q := newQueue()
		var all []*queued
		var inFlight []*inFlightBatch
		start := func(f *inFlightBatch) {
			if f == nil {
				return
			}
			inFlight = append(inFlight, f)
			for _, w := range f.commits {
				if !w.dispatched || w.withdrawn || len(w.outcome) > 0 {
					r.Fatal("a Commit was sent that is withdrawn or has an outcome")
				}
			}
		}
		complete := func(f *inFlightBatch, how int) {
			switch {
			case how == 0 && !f.alone:
				q.requeue(f, f.commits)
				q.complete(f, completion{locked: f.commits[0].tenants[:1]})
			default:
				moved := map[streamKey]int{}
				for _, w := range f.commits {
					w.outcome <- nil
					for _, p := range w.commit.Parts {
						moved[streamKey{p.Tenant, p.Stream.ID}] = p.Expected + 1
					}
				}
				q.complete(f, completion{moved: moved, failed: how == 1 && f.alone})
			}
			for n := q.next(); n != nil; n = q.next() {
				start(n)
			}
		}
		step := func() {
			switch op := rapid.IntRange(0, 9).Draw(r, "op"); {
			case op < 5:
				home := rapid.SampledFrom(tenants).Draw(r, "tenant")
				c := Commit{Command: domain.CommandID(uuid.New()), Parts: []Part{{Tenant: home, Stream: domain.StreamID{Type: domain.TaskStream, ID: rapid.SampledFrom(streams).Draw(r, "stream")},
					Expected: rapid.IntRange(0, 2).Draw(r, "expected"), Events: []domain.Event{domain.TaskUpdated{Title: "x"}}}}}
				if rapid.Bool().Draw(r, "two") {
					c.Guards = []Guard{{Tenant: domain.Platform, Stream: domain.StreamID{Type: domain.TaskStream, ID: streams[0]}}}
				}
				if rapid.Bool().Draw(r, "keyed") {
					c.Entry = &Entry{Tenant: home, Key: Hash{byte(rapid.IntRange(0, 3).Draw(r, "key"))}}
				}
				e, err := encode(c)
				if err != nil {
					r.Fatal(err)
				}
				w := &queued{encoded: e, outcome: make(chan error, 1)}
				all = append(all, w)
				f, err := q.enqueue(w)
				if err != nil {
					r.Fatal(err)
				}
				start(f)
			case op < 6 && len(all) > 0:
				w := rapid.SampledFrom(all).Draw(r, "withdrawn")
				if len(w.outcome) == 0 && !w.withdrawn {
					q.withdraw(w)
				}
			case len(inFlight) > 0:
				i := rapid.IntRange(0, len(inFlight)-1).Draw(r, "batch")
				f := inFlight[i]
				inFlight = append(inFlight[:i], inFlight[i+1:]...)
				complete(f, rapid.IntRange(0, 3).Draw(r, "how"))
			}
			if f := q.next(); f != nil {
				r.Fatal("a batch could have been sent")
			}
		}
		for range rapid.IntRange(1, 80).Draw(r, "steps") {
			step()
		}
		for len(inFlight) > 0 {
			f := inFlight[0]
			inFlight = inFlight[1:]
			complete(f, 2)
		}
		for _, w := range all {
			if (len(w.outcome) == 1) == w.withdrawn {
				r.Fatalf("%d outcomes, withdrawn %t", len(w.outcome), w.withdrawn)
			}
		}
		if q.size != 0 || len(q.lanes) != 0 || q.inFlight != 0 || q.inFlightAlone != 0 || len(q.ready) != 0 {
			r.Fatalf("left: size %d, %d lanes, %d and %d in flight", q.size, len(q.lanes), q.inFlight, q.inFlightAlone)
		}
	})
}
