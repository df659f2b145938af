package domain

// Edit is one member of a partial update (RFC 7396): an absent member, with Set
// false, keeps the value.
type Edit[T any] struct {
	Set   bool
	Value T
}

// To is an Edit that sets v.
func To[T any](v T) Edit[T] { return Edit[T]{Set: true, Value: v} }

// Or is the edited value, or the present one if the member is absent.
func (e Edit[T]) Or(present T) T {
	if e.Set {
		return e.Value
	}
	return present
}
