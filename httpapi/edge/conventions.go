package edge

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// requireConventions panics for an input or output type whose OpenAPI schema would
// differ from what is read and written. Huma can't know these four rules, and no test
// of a handler finds a forgotten tag:
//
//   - an id is documented as any string without format:"uuid";
//   - a pointer to an id goes out as null, but isn't documented as nullable
//     without the tag (Huma takes pointers to arrays for arrays);
//   - an embedded struct with an unexported name is ignored with its parameters;
//   - a Patch without omitzero is documented, and checked, as required.
func requireConventions(operation string, t reflect.Type) {
	walkConventions(operation, t, map[reflect.Type]bool{})
}

var patchType = reflect.TypeFor[interface{ isPatch() reflect.Type }]()

var filterType = reflect.TypeFor[interface{ isFilter() reflect.Type }]()

func (p Patch[T]) isPatch() reflect.Type { return typeOf[T]() }

func walkConventions(operation string, t reflect.Type, seen map[reflect.Type]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] {
		return
	}
	seen[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		wrong := func(want string) {
			panic(fmt.Sprintf("edge: %s: %s.%s needs %s", operation, t, f.Name, want))
		}
		if f.Anonymous && !f.IsExported() {
			wrong("an exported name")
		}
		if !f.IsExported() || f.Tag.Get("json") == "-" {
			continue
		}
		value := f.Type
		if value.Implements(patchType) {
			_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !slices.Contains(strings.Split(options, ","), "omitzero") {
				wrong("omitzero in its json tag")
			}
			value = reflect.Zero(value).Interface().(interface{ isPatch() reflect.Type }).isPatch()
		}
		if value.Implements(filterType) {
			value = reflect.Zero(value).Interface().(interface{ isFilter() reflect.Type }).isFilter()
		}
		pointer := value.Kind() == reflect.Pointer
		for value.Kind() == reflect.Pointer || value.Kind() == reflect.Slice {
			value = value.Elem()
		}
		if isID(value) {
			if f.Tag.Get("format") != "uuid" {
				wrong(`format:"uuid"`)
			}
			if pointer && f.Tag.Get("nullable") == "" {
				wrong(`nullable:"true"`)
			}
			continue
		}
		walkConventions(operation, value, seen)
	}
}

// isID reports whether t is a UUID: a domain id of any kind, or uuid.UUID.
func isID(t reflect.Type) bool {
	id := reflect.TypeFor[uuid.UUID]()
	return t.Kind() == reflect.Array && t.ConvertibleTo(id) && t.PkgPath() != ""
}
