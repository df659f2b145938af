package feed

import (
	"slices"

	"docket/domain"
)

// Interest says which events of a log a subscription handles. The zero value is that of a
// subscription which handles every event and has no fold.
type Interest struct {
	// Ignores are the types of events that the subscription never handles. The feed doesn't
	// read them, so a damaged one doesn't stop the subscription. One of a newer schema
	// version does, as only a newer program knows its meaning.
	Ignores []string
	// NoMeta says that it doesn't use the events' Meta, which may be missing then.
	NoMeta bool
	// Handles says of the other types which events it handles; nil: all. It must be pure.
	// An event that isn't handled costs no transaction, but may be in a page all the same.
	Handles func(domain.Recorded) bool
	// FoldVersion is the version of its fold: it leaves alone rows that another version
	// fills. 0: it has no fold, and handles every tenant.
	FoldVersion int
}

// of returns the events whose types aren't ignored. It doesn't change its argument.
func (i Interest) of(events []domain.Recorded) []domain.Recorded {
	if len(i.Ignores) == 0 {
		return events
	}
	var kept []domain.Recorded
	for _, e := range events {
		if !i.ignores(e) {
			kept = append(kept, e)
		}
	}
	return kept
}

// newest are the newest schema versions that this program reads, by type.
var newest = func() map[string]int32 {
	m := map[string]int32{}
	for _, d := range domain.Definitions() {
		m[d.Type] = int32(d.Reads)
	}
	return m
}()

// reads are the newest schema versions of Ignores that this program reads.
func (i Interest) reads() []int32 {
	versions := make([]int32, len(i.Ignores))
	for n, t := range i.Ignores {
		versions[n] = newest[t]
	}
	return versions
}

// ignores reports whether an event is of an ignored type.
func (i Interest) ignores(e domain.Recorded) bool {
	return slices.Contains(i.Ignores, e.Event.EventType())
}

// handles reports whether the subscription handles an event.
func (i Interest) handles(e domain.Recorded) bool {
	return !i.ignores(e) && (i.Handles == nil || i.Handles(e))
}
