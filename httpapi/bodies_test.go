package httpapi

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The published document says enough to build requests for every operation, also for
// those that were added after these tests.

var pathParameter = regexp.MustCompile(`\{[^/]+\}`)

// at is the operation's path with an id for each parameter in it.
func (e *endpoint) at(id string) string {
	return pathParameter.ReplaceAllLiteralString(e.Path, url.PathEscape(id))
}

// takesID reports whether there is an id in the operation's path.
func (e *endpoint) takesID() bool {
	return slices.ContainsFunc(e.Parameters, func(p *endpointParameter) bool { return p.In == "path" && p.Schema.Format == "uuid" })
}

// example is a value that fits the schema, with all members there are, and with
// id for every id in it.
func (d *published) example(s *jsonSchema, id string) any {
	s = d.resolve(s)
	switch {
	case len(s.Enum) > 0:
		return s.Enum[len(s.Enum)-1]
	case slices.Contains(s.Type, "array"):
		return []any{d.example(s.Items, id)}
	case slices.Contains(s.Type, "object"):
		object := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			object[name] = d.example(s.Properties[name], id)
		}
		return object
	case slices.Contains(s.Type, "boolean"):
		return true
	case slices.Contains(s.Type, "integer"), slices.Contains(s.Type, "number"):
		if s.Minimum != nil {
			return *s.Minimum
		}
		return 1
	}
	switch s.Format {
	case "uuid":
		return id
	case "email", "idn-email":
		return "unknown@example.org"
	case "uri":
		return "https://hooks.example.org/x"
	case "date":
		return "2027-12-31"
	case "date-time":
		return time.Now().UTC().AddDate(0, 1, 0).Format(time.RFC3339)
	}
	return "a-word-or-two"
}

// exampleBody is a body of the operation, or "" where it has none.
func (d *published) exampleBody(e *endpoint, id string) string {
	if e.body() == nil {
		return ""
	}
	return jsonOf(d.example(e.body(), id))
}

// hasIDs reports whether there is an id somewhere in what the schema describes.
func (d *published) hasIDs(s *jsonSchema) bool {
	if s == nil {
		return false
	}
	s = d.resolve(s)
	return s.Format == "uuid" || s.Items != nil && d.hasIDs(s.Items) ||
		slices.ContainsFunc(slices.Collect(maps.Values(s.Properties)), d.hasIDs)
}

// withQuery adds a parameter to a target.
func withQuery(target, name string, value any) string {
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	return target + sep + name + "=" + url.QueryEscape(fmt.Sprint(value))
}
