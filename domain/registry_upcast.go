package domain

import (
	"encoding/json"
	"errors"
)

// Upcaster turns the data of one schema version into that of the next. It is pure,
// doesn't change its argument, and keeps all other fields. An error says that the
// data is damaged: no version could read it.
type Upcaster func(json.RawMessage) (json.RawMessage, error)

// Downcaster turns the data of the newest schema version into that of the previous
// one, while the newest is only learned.
type Downcaster func(json.RawMessage) (json.RawMessage, error)

// addField is the Upcaster of a version that adds one field. value is the field's
// value in older events.
func addField(name string, value any) Upcaster { return addFields(map[string]any{name: value}) }

// addFields is the Upcaster of a version that adds several fields.
func addFields(values map[string]any) Upcaster {
	added := map[string]json.RawMessage{}
	for name, value := range values {
		added[name] = toJSON(value)
	}
	return func(data json.RawMessage) (json.RawMessage, error) {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(data, &fields); err != nil {
			return nil, err
		}
		if fields == nil {
			return nil, errors.New("null is no event")
		}
		for name, value := range added {
			fields[name] = value
		}
		return marshal(fields)
	}
}
