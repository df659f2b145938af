package edge

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Filter is an optional query parameter that narrows a list:
//
//	OwnerID edge.Filter[domain.UserID] `query:"owner_id" format:"uuid" json:"owner_id"`
//
// A plain T can't distinguish an absent parameter from a zero value: the nil UUID, which
// matches no row, would match all.
type Filter[T any] struct {
	value T
	set   bool
}

// Ptr returns the value, or nil if the parameter is absent.
func (f Filter[T]) Ptr() *T {
	if !f.set {
		return nil
	}
	return &f.value
}

// Receiver is where Huma stores the parsed value.
func (f *Filter[T]) Receiver() reflect.Value {
	return reflect.ValueOf(&f.value).Elem()
}

// OnParamSet is called for parameters that are present.
func (f *Filter[T]) OnParamSet(set bool, _ any) { f.set = set }

// MarshalJSONTo writes the value or null: cursors are bound to it.
func (f Filter[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	return json.MarshalEncode(enc, f.Ptr())
}

// isFilter is the value's type, for conventions.go.
func (f Filter[T]) isFilter() reflect.Type { return typeOf[T]() }

// Schema is T's.
func (f Filter[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(typeOf[T](), true, typeOf[T]().Name())
}
