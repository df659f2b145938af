package edge

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"docket/domain"
)

// Patch is a member of a merge patch (RFC 7396): absent, null or a value.
//
//	Name        edge.Patch[string] `json:"name,omitzero" minLength:"1" maxLength:"200"`
//	Description edge.Patch[string] `json:"description,omitzero" maxLength:"4000" nullable:"true"`
//
// "omitzero" makes the member optional; registration panics if it is missing.
// null is refused (422) unless the field says nullable:"true". An object inside
// an object is a Patch of a struct of Patches, and merges member by member.
type Patch[T any] struct {
	Set   bool // the member is present: null or a value
	Null  bool
	Value T
}

// Edit converts a member that can't be cleared.
func (p Patch[T]) Edit() domain.Edit[T] {
	return domain.Edit[T]{Set: p.Set, Value: p.Value}
}

// Nullable converts a member that null clears.
func (p Patch[T]) Nullable() domain.Edit[*T] {
	if !p.Set || p.Null {
		return domain.Edit[*T]{Set: p.Set}
	}
	return domain.Edit[*T]{Set: true, Value: &p.Value}
}

// UnmarshalJSONFrom is called for members that are present, also for null.
func (p *Patch[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*p = Patch[T]{Set: true}
	if dec.PeekKind() == 'n' {
		p.Null = true
		_, err := dec.ReadToken()
		return err
	}
	return json.UnmarshalDecode(dec, &p.Value)
}

// IsZero reports that the member is absent.
func (p Patch[T]) IsZero() bool { return !p.Set }

// Schema is T's: in OpenAPI a member of a patch looks like the member itself.
func (p Patch[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(typeOf[T](), true, typeOf[T]().Name())
}
