package feed

import (
	"context"
	"fmt"
	"sort"

	"docket/domain"
)

// Range is a run of a tenant's log: a page's, or one that was read once for several
// builds.
type Range struct {
	// After is the seq before it, and Through its last; equal at the log's end.
	After, Through int64
	// Events are those of it that somebody wants, in order. They must not be changed.
	Events []domain.Recorded
	// Bytes is how long the events are, as they were sent.
	Bytes int
	// More: it had to end where it does for its length, and not because there was nothing
	// more to read. Of a stretch that came with an error that isn't known.
	More bool
}

// since are the events after a seq.
func (s Range) since(seq int64) []domain.Recorded {
	if seq <= s.After {
		return s.Events
	}
	return s.Events[sort.Search(len(s.Events), func(i int) bool { return s.Events[i].Seq > seq }):]
}

// until is the part of a stretch up to a seq.
func (s Range) until(seq int64) Range {
	if seq < s.Through {
		s.Events = s.Events[:sort.Search(len(s.Events), func(i int) bool { return s.Events[i].Seq > seq })]
		s.Through = max(seq, s.After)
	}
	return s
}

// endSQL is the last seq of a tenant's log ($1), but no more than another ($2).
const endSQL = `select least(coalesce((select e.seq from events e where e.tenant_id = $1 order by e.seq desc limit 1), 0), $2)`

// Read reads the stretch of at most limit events after a seq, and none after another;
// fewer where they are large, so that a stretch has 8 MB and an event at most. It comes
// without those of the types in ignored (Interest.Ignores) and without the events' Meta:
// what none of the builds has a use for isn't even sent.
//
// Errors: UnreadableEvent tells those of an event from others.
func (b *Builds) Read(ctx context.Context, after, through int64, limit int, ignored []string) (Range, error) {
	return readRange(ctx, b.pool, b.tenant, after, through, limit, Interest{Ignores: ignored, NoMeta: true}, nil)
}

// readRange is readPage of the next limit seqs at most, whatever is there. A log has no gaps, so
// they are found by their seqs alone, however few are left of interest.
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
