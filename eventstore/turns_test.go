package eventstore

import (
	"testing"

	"docket/domain"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// Whatever comes, leaves, lands and is put back: each Commit is answered once or
// was given up, none waits while a flight could start, nothing is left behind.
func TestQueueTurns(t *testing.T) {
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
		var all []*waiting
		var up []*flight
		entered := map[*waiting]bool{}
		start := func(f *flight) {
			if f == nil {
				return
			}
			up = append(up, f)
			for _, w := range f.commits {
				if !w.taken || w.gone || len(w.answer) > 0 {
					r.Fatal("a Commit that isn't there any more flies")
				}
			}
		}
		land := func(f *flight, how int) {
			switch {
			case how == 0 && !f.alone:
				q.again(f, f.commits)
				q.land(f, landing{locked: f.commits[0].tenants[:1]})
			default:
				moved := map[streamKey]int{}
				for _, w := range f.commits {
					w.answer <- nil
					for _, p := range w.commit.Parts {
						moved[streamKey{p.Tenant, p.Stream.ID}] = p.Expected + 1
					}
				}
				q.land(f, landing{moved: moved, failed: how == 1 && f.alone})
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
				w := &waiting{encoded: e, answer: make(chan error, 1)}
				all = append(all, w)
				f, err := q.enter(w)
				if err != nil {
					r.Fatal(err)
				}
				entered[w] = true
				start(f)
			case op < 6 && len(all) > 0:
				w := rapid.SampledFrom(all).Draw(r, "leaver")
				if len(w.answer) == 0 && !w.gone {
					q.leave(w)
				}
			case len(up) > 0:
				i := rapid.IntRange(0, len(up)-1).Draw(r, "flight")
				f := up[i]
				up = append(up[:i], up[i+1:]...)
				land(f, rapid.IntRange(0, 3).Draw(r, "how"))
			}
			if f := q.next(); f != nil {
				r.Fatal("a flight could have started")
			}
		}
		for range rapid.IntRange(1, 80).Draw(r, "steps") {
			step()
		}
		for len(up) > 0 {
			f := up[0]
			up = up[1:]
			land(f, 2)
		}
		for _, w := range all {
			if (len(w.answer) == 1) == w.gone {
				r.Fatalf("answered %d times, gone %t", len(w.answer), w.gone)
			}
		}
		if q.size != 0 || len(q.lines) != 0 || q.flying != 0 || q.alone != 0 || len(q.ready) != 0 {
			r.Fatalf("left: size %d, %d lines, %d and %d flying", q.size, len(q.lines), q.flying, q.alone)
		}
	})
}
