package edge

import (
	"encoding"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/text/unicode/norm"
)

// Values is an optional query parameter of which one of several values must fit, separated
// by commas:
//
//	Status edge.Values[domain.Status] `query:"status" enum:"draft,submitted"`
//
// T is a text, or reads itself from one. A value that has a comma has a backslash before it.
// Duplicates count once.
type Values[T any] struct {
	text string
	list []T
}

// List returns the values, in the order in which they came; nil if the parameter is absent.
func (v Values[T]) List() []T { return slices.Clone(v.list) }

// Receiver is where Huma stores the parameter.
func (v *Values[T]) Receiver() reflect.Value { return reflect.ValueOf(&v.text).Elem() }

// OnParamSet reads the values. Their shape has been checked (Router.check).
func (v *Values[T]) OnParamSet(set bool, _ any) {
	v.list = nil
	if !set {
		return
	}
	texts := splitValues(v.text)
	for i, text := range texts {
		if slices.Contains(texts[:i], text) {
			continue
		}
		var value T
		switch to := any(&value).(type) {
		case encoding.TextUnmarshaler:
			if to.UnmarshalText([]byte(text)) != nil {
				continue
			}
		default:
			reflect.ValueOf(to).Elem().SetString(text)
		}
		v.list = append(v.list, value)
	}
	if v.list == nil {
		v.list = []T{} // asked for, and nothing fits
	}
}

// splitValues separates values at the commas without a backslash before. They are in NFC,
// as texts are kept.
func splitValues(text string) []string {
	var (
		values []string
		value  strings.Builder
	)
	for rest := norm.NFC.String(text); ; {
		i := strings.IndexByte(rest, ',')
		switch {
		case i < 0:
			value.WriteString(rest)
			return append(values, value.String())
		case i > 0 && rest[i-1] == '\\':
			value.WriteString(rest[:i-1] + ",")
		default:
			value.WriteString(rest[:i])
			values = append(values, value.String())
			value.Reset()
		}
		rest = rest[i+1:]
	}
}

// isFilter is the values' type, for conventions.go.
func (v Values[T]) isFilter() reflect.Type { return typeOf[T]() }

// Schema is a list of T's.
func (v Values[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: r.Schema(typeOf[T](), true, typeOf[T]().Name())}
}
