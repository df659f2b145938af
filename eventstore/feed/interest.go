package feed

import (
	"slices"

	"docket/domain"
)

// Interest is what a subscription has to do with a log. The zero value is that of one
// which does something with every event, and folds nothing.
type Interest struct {
	// Ignores are the types of events that it never does anything with. They aren't read,
	// so a damaged one stops nobody who ignores its type; one of a newer schema version
	// does, as what that means only a newer program knows.
	Ignores []string
	// NoMeta says that it doesn't look at the events' Meta, which may be missing then.
	NoMeta bool
	// Handles says of the other types which events it does anything with; nil: with all. It
	// must be pure. What it doesn't want costs no transaction, and may come all the same.
	Handles func(domain.Recorded) bool
	// FoldVersion is the version of its fold: it leaves alone what another version fills.
	// 0: it folds nothing, and takes all.
	FoldVersion int
}

// of leaves those of ignored types out of some events, which aren't changed.
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

// newest are the newest schema versions that are read, by type.
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

// wants reports whether there is anything to be done about an event.
func (i Interest) handles(e domain.Recorded) bool {
	return !i.ignores(e) && (i.Handles == nil || i.Handles(e))
}
