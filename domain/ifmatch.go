package domain

import "slices"

// IfMatch is a client's condition on the version of what it changes (RFC 9110,
// section 13.1.1). The zero value is no condition.
type IfMatch struct {
	set      bool
	versions []int
}

// IfVersion is met by each of the versions; never if there are none.
func IfVersion(versions ...int) IfMatch { return IfMatch{set: true, versions: versions} }

// Conditional reports whether there is a condition.
func (m IfMatch) Conditional() bool { return m.set }

// Check returns CodeVersionConflict with current_version if the condition isn't met.
func (m IfMatch) Check(current int) error {
	if !m.set || slices.Contains(m.versions, current) {
		return nil
	}
	return Refuse(CodeVersionConflict, "the version is now %d", current).With("current_version", current)
}
