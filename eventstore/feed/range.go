package feed

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"docket/domain"
)

// Range is a contiguous part of a tenant's log: that of a page, or one that was read once
// for several builds.
type Range struct {
	// After is the seq before it, and Through its last; equal at the log's end.
	After, Through int64
	// Events are those events of the range that weren't filtered out, in order. They must
	// not be changed.
	Events []domain.Recorded
	// Bytes is the size of the events as Postgres sent them.
	Bytes int
	// More says that the range ended because of its length, and not at the end of what was
	// to be read. It is undefined for a range that came with an error.
	More bool
}

// since are the events after a seq.
func (s Range) since(seq int64) []domain.Recorded {
	if seq <= s.After {
		return s.Events
	}
	return s.Events[sort.Search(len(s.Events), func(i int) bool { return s.Events[i].Seq > seq }):]
}

// until is the part of a range up to a seq.
func (s Range) until(seq int64) Range {
	if seq < s.Through {
		s.Events = s.Events[:sort.Search(len(s.Events), func(i int) bool { return s.Events[i].Seq > seq })]
		s.Through = max(seq, s.After)
	}
	return s
}

// endSQL is the last seq of a tenant's log ($1), but no more than another ($2).
const endSQL = `select least(coalesce((select e.seq from events e where e.tenant_id = $1 order by e.seq desc limit 1), 0), $2)`

// Read reads the range of at most limit events after a seq, up to the seq through. It reads
// fewer where they are large: a range has at most 8 MB and one event. Postgres doesn't send
// events of the ignored types (Interest.Ignores), nor the events' Meta.
//
// Errors: UnreadableEvent reports whether an event is the reason.
func (b *Builds) Read(ctx context.Context, after, through int64, limit int, ignored []string) (Range, error) {
	return readRange(ctx, b.pool, b.tenant, after, through, limit, Interest{Ignores: ignored, NoMeta: true}, nil)
}

// readRange is readPage of the next limit seqs at most, whether or not their events are of
// interest. A log has no gaps, so the seqs alone find them.
func readRange(ctx context.Context, q querier, t domain.TenantID, after, through int64, limit int, of Interest, but skipped) (Range, error) {
	var end int64
	if err := q.QueryRow(ctx, endSQL, t.UUID(), min(through, after+int64(limit))).Scan(&end); err != nil {
		return Range{After: after, Through: after}, fmt.Errorf("read end of the log: %w", err)
	}
	if end <= after {
		return Range{After: after, Through: after}, nil
	}
	s, err := readPage(ctx, q, t, after, end, limit, of, but)
	s.More = s.Through < end || end == after+int64(limit)
	return s, err
}

// skipped are the seqs, ascending, of the events after some seq of a tenant's log that a
// subscription leaves out for an operator (Parking.Skip).
type skipped []int64

// past is the last of the skipped events that follow a seq without a gap; the seq
// itself where the next event isn't skipped.
func (s skipped) past(seq int64) int64 {
	i, _ := slices.BinarySearch(s, seq+1)
	for _, next := range s[i:] {
		if next != seq+1 {
			break
		}
		seq = next
	}
	return seq
}

// without returns the events that aren't skipped. It doesn't change its argument.
func (s skipped) without(events []domain.Recorded) []domain.Recorded {
	if len(s) == 0 {
		return events
	}
	var kept []domain.Recorded
	for _, e := range events {
		if _, skip := slices.BinarySearch(s, e.Seq); !skip {
			kept = append(kept, e)
		}
	}
	return kept
}
