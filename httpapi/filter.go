package httpapi

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"docket/domain"
)

// filter is a query parameter that narrows a list:
//
//	OwnerID filter[domain.UserID] `query:"owner_id" format:"uuid" json:"owner_id"`
//
// A plain T can't tell what is absent from what is zero. With it the nil UUID,
// which is nobody's, would ask for everybody's.
type filter[T any] struct {
	value T
	set   bool
}

// asked is the value, or nil where the parameter is absent.
func (f filter[T]) asked() *T {
	if !f.set {
		return nil
	}
	return &f.value
}

// Receiver is where Huma puts what it has read.
func (f *filter[T]) Receiver() reflect.Value {
	return reflect.ValueOf(&f.value).Elem()
}

// OnParamSet is called for parameters that are there.
func (f *filter[T]) OnParamSet(set bool, _ any) { f.set = set }

// MarshalJSONTo writes the value or null: cursors are bound to it.
func (f filter[T]) MarshalJSONTo(enc *jsontext.Encoder) error {
	return json.MarshalEncode(enc, f.asked())
}

// isFilter is what the conventions look into (conventions.go).
func (f filter[T]) isFilter() reflect.Type { return typeOf[T]() }

// Schema is T's.
func (f filter[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(typeOf[T](), true, typeOf[T]().Name())
}

// userOrMe is a user in a filter: an id, or the word me for the caller.
type userOrMe struct {
	id domain.UserID
	me bool
}

const me = "me"

// of is the user's id, which for me is the caller's; nil where none is asked for.
func (u *userOrMe) of(caller domain.UserID) *domain.UserID {
	switch {
	case u == nil:
		return nil
	case u.me:
		return &caller
	}
	return &u.id
}

// UnmarshalText reads an id or me.
func (u *userOrMe) UnmarshalText(text []byte) error {
	if u.me = string(text) == me; u.me {
		return nil
	}
	return u.id.UnmarshalText(text)
}

// Schema is what check holds the text against.
func (u userOrMe) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeString, Pattern: "^(" + me + "|" + uuidPattern + ")$",
		PatternDescription: "a UUID of 36 characters, or " + me,
	}
}
