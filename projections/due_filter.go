package projections

import (
	"time"

	"docket/domain"
)

// DueFilter narrows a list by due dates; the zero value doesn't.
type DueFilter struct {
	// After and Before leave out what is due on that day or on its other side, and what has
	// no due date.
	After  *domain.Date `json:"after,omitzero"`
	Before *domain.Date `json:"before,omitzero"`
	// None asks for what has no due date.
	None bool `json:"none,omitzero"`
}

func (f DueFilter) asked() bool { return f.After != nil || f.Before != nil || f.None }

// bounds are between which sort values the filter lets pass, without these.
func (f DueFilter) bounds() (after, before string) {
	after, before = "", noDue+noDue
	if f.After != nil || f.Before != nil {
		before = noDue
	}
	if f.None {
		after = "}" // the last before noDue
	}
	if f.After != nil {
		after = max(after, string(*f.After))
	}
	if f.Before != nil {
		before = string(*f.Before)
	}
	return after, before
}

func (f DueFilter) fits(d *domain.Date) bool {
	if f.None && d != nil {
		return false
	}
	return (f.After == nil || d != nil && *d > *f.After) && (f.Before == nil || d != nil && *d < *f.Before)
}

// since reports whether a time isn't before the one asked for, if one is.
func since(asked *time.Time, at time.Time) bool { return asked == nil || !at.Before(*asked) }
