package edge

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// filter is a query parameter that narrows a list:
//
//	OwnerID filter[domain.UserID] `query:"owner_id" format:"uuid" json:"owner_id"`
//
// A plain T can't tell what is absent from what is zero. With it the nil UUID,
// which is nobody's, would ask for everybody's.
type Filter[T any] struct {
	value T
	set   bool
}

// asked is the value, or nil where the parameter is absent.
func (f Filter[T]) Ptr() *T {
	if !f.set {
		return nil
	}
	return &f.value
}

// Receiver is where Huma puts what it has read.
func (f *Filter[T]) Receiver() reflect.Value {
	return reflect.ValueOf(&f.value).Elem()
}

// OnParamSet is called for parameters that are there.
func (f *Filter[T]) OnParamSet(set bool, _ any) { f.set = set }

// MarshalJSONTo writes the value or null: cursors are bound to it.
func (f Filter[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	return json.MarshalEncode(enc, f.Ptr())
}

// isFilter is what the conventions look into (conventions.go).
func (f Filter[T]) isFilter() reflect.Type { return typeOf[T]() }

// Schema is T's.
func (f Filter[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(typeOf[T](), true, typeOf[T]().Name())
}
