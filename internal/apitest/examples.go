package apitest

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/pb33f/libopenapi/datamodel/high/base"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
	"github.com/pb33f/libopenapi/orderedmap"
)

// Examples are what is wrong with the document's examples, one line each: a parameter, or
// a body in JSON, that has none, and one that isn't as its schema says. Of operations whose
// id is among unshown, bodies need none.
func (d *Document) Examples(unshown ...string) []string {
	var wrong []string
	for _, op := range d.operations {
		say := func(where, what string) {
			wrong = append(wrong, fmt.Sprintf("%s: %s: %s", op.OperationId, where, what))
		}
		bodies := func(where string, content *orderedmap.Map[string, *v3.MediaType]) {
			for media, body := range content.FromOldest() {
				if body.Schema == nil || media == ndjsonMediaType || slices.Contains(unshown, op.OperationId) {
					continue
				}
				all := valuesOf(body.Example != nil, body.Example, body.Examples)
				if len(all) == 0 {
					say(where, "has no example")
				}
				for _, example := range all {
					for _, line := range d.example(body.Schema, example) {
						say(where, line)
					}
				}
			}
		}
		for _, p := range slices.Concat(op.item.Parameters, op.Parameters) {
			all := valuesOf(p.Example != nil, p.Example, p.Examples)
			if len(all) == 0 {
				say("parameter "+p.Name, "has no example")
			}
			for _, example := range all {
				for _, line := range d.example(p.Schema, example) {
					say("parameter "+p.Name, line)
				}
			}
		}
		if op.RequestBody != nil {
			bodies("request", op.RequestBody.Content)
		}
		for status, response := range op.Responses.Codes.FromOldest() {
			bodies(status, response.Content)
		}
	}
	return wrong
}

// value is a value of the document.
type value interface{ Decode(into any) error }

// valuesOf are the values of one example, if it is there, and of several.
func valuesOf(there bool, one value, several *orderedmap.Map[string, *base.Example]) []value {
	var all []value
	if there {
		all = append(all, one)
	}
	for _, example := range several.FromOldest() {
		if example.Value != nil {
			all = append(all, example.Value)
		}
	}
	return all
}

// example says how an example isn't as its schema says.
func (d *Document) example(schema *base.SchemaProxy, example value) []string {
	var v any
	if err := example.Decode(&v); err != nil {
		return []string{err.Error()}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return []string{err.Error()}
	}
	d.rendering.Lock() // the library renders the schema anew, in place
	defer d.rendering.Unlock()
	if s := schema.Schema(); len(s.Type) == 1 && s.Type[0] == "string" {
		_, found := d.schemas.ValidateSchemaObject(s, v) // a bare string isn't read as JSON
		return say(found)
	}
	_, found := d.schemas.ValidateSchemaBytes(schema.Schema(), text)
	return say(found)
}
