package eventstore_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"docket/domain"
	"docket/eventstore"
	"docket/internal/tenanttest"
)

// largeSQL inserts $4 events with descriptions of 30,000 characters into a stream ($2) of a
// tenant ($1), whose log ends at a seq ($3).
const largeSQL = `insert into events select $1, $3 + n, 'task', $2, n, 'task.updated', 1, now(), null, $1,
json_build_object('changes', json_build_array(json_build_object('field', 'description', 'from', null, 'to', repeat('x', 30000)))), '{}' from generate_series(1, $4::int) n`

// A fold holds one event of the stream at a time. No t.Parallel: it measures the heap.
func TestFoldHoldsOneEvent(t *testing.T) {
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	const events, bound = 1_000, 8 << 20 // 30 MB of events
	if _, err := f.Engine.Exec(t.Context(), largeSQL, tenant.UUID(), stream.ID, 1, events); err != nil {
		t.Fatal(err)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, n := heap(), 0
	err := f.Store.Fold(t.Context(), tenant, stream, 0, eventstore.Head, func(e domain.Recorded) error {
		if n++; n == events {
			if more := int64(heap()) - int64(before); more > bound {
				t.Errorf("at the last of %d events the heap has grown by %d bytes, want at most %d", n, more, bound)
			}
		}
		return nil
	})
	if err != nil || n != events {
		t.Errorf("%d events were handed over, error %v, want %d", n, err, events)
	}
}

// A fold reads the versions that it is asked for, and its apply can end it.
func TestFoldRange(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tenant, stream := f.Tenant(), newStream(t)
	f.Append(f.Store, commit(t, part(tenant, stream, 0, 6)))
	enough := errors.New("enough")
	var got strings.Builder
	fold := func(after, upTo, most int) error {
		got.Reset()
		return f.Store.Fold(t.Context(), tenant, stream, after, upTo, func(e domain.Recorded) error {
			got.WriteString(string(rune('0' + e.Version)))
			if got.Len() == most {
				return enough
			}
			return nil
		})
	}
	for _, c := range []struct {
		after, upTo, most int
		want              string
		err               error
	}{
		{0, eventstore.Head, 9, "123456", nil},
		{2, 4, 9, "34", nil},
		{4, 4, 9, "", nil},
		{6, eventstore.Head, 9, "", nil},
		{1, eventstore.Head, 2, "23", enough},
	} {
		if err := fold(c.after, c.upTo, c.most); !errors.Is(err, c.err) || got.String() != c.want {
			t.Errorf("after %d up to %d: got versions %q, error %v, want %q, %v", c.after, c.upTo, got.String(), err, c.want, c.err)
		}
	}
	if events, err := tenanttest.Load(t.Context(), f.Store, tenant, newStream(t), 0); err != nil || len(events) != 0 {
		t.Errorf("a stream that doesn't exist has %d events, error %v", len(events), err)
	}
}
