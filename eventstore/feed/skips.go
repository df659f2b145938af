package feed

import (
	"slices"

	"docket/domain"
)

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
