package eventstore

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"docket/domain"
)

// Stretch is a run of a tenant's log: a page's, or one that was read once for several
// builds.
type Stretch struct {
	// After is the seq before it, and Through its last; equal at the log's end.
	After, Through int64
	// Events are those of it that somebody wants, in order. They must not be changed.
	Events []domain.Recorded
	// Bytes is how long the events are, as they were sent.
	Bytes int
}

// since are the events after a seq.
func (s Stretch) since(seq int64) []domain.Recorded {
	if seq <= s.After {
		return s.Events
	}
	return s.Events[sort.Search(len(s.Events), func(i int) bool { return s.Events[i].Seq > seq }):]
}

// until is the part of a stretch up to a seq.
func (s Stretch) until(seq int64) Stretch {
	if seq < s.Through {
		s.Events = s.Events[:sort.Search(len(s.Events), func(i int) bool { return s.Events[i].Seq > seq })]
		s.Through = max(seq, s.After)
	}
	return s
}

// stretchSQL reads the events of a tenant ($1) after a seq ($2) up to another ($3),
// but those of some types ($4).
const stretchSQL = `select ` + FoldColumns + ` from events
where tenant_id = $1 and seq > $2 and seq <= $3 and type <> all ($4) order by seq`

// endSQL is the last seq of a tenant's log ($1), but no more than another ($2).
const endSQL = `select least(coalesce((select e.seq from events e where e.tenant_id = $1 order by e.seq desc limit 1), 0), $2)`

// Read reads the stretch of at most limit events after a seq, and none after another,
// without those of the types in ignored and without the events' Meta: what none of the
// builds has a use for isn't even sent. A log has no gaps, so
// it is found by its seqs alone, however few are left.
//
// Errors: domain.ErrUnknownEvent for an event of a newer version.
func (b *Builds) Read(ctx context.Context, after, through int64, limit int, ignored []string) (Stretch, error) {
	s := Stretch{After: after, Through: after}
	var end int64
	if err := b.pool.QueryRow(ctx, endSQL, b.tenant.UUID(), min(through, after+int64(limit))).Scan(&end); err != nil {
		return s, fmt.Errorf("read end of the log: %w", err)
	}
	if end <= after {
		return s, nil
	}
	rows, err := b.pool.Query(ctx, stretchSQL, b.tenant.UUID(), after, end, ignored)
	if err != nil {
		return s, fmt.Errorf("read events after %d: %w", after, err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := Scan(rows)
		if err != nil {
			if !errors.Is(err, domain.ErrUnknownEvent) {
				err = fmt.Errorf("%w: %w", errDamaged, err)
			}
			return s, err
		}
		for _, raw := range rows.RawValues() {
			s.Bytes += len(raw)
		}
		s.Events = append(s.Events, e)
	}
	if err := rows.Err(); err != nil {
		return s, fmt.Errorf("read events after %d: %w", after, err)
	}
	s.Through = end
	return s, nil
}
