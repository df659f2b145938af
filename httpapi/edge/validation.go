package edge

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"docket/domain"
)

// The codes of field errors. They are part of the HTTP contract; the domain uses the
// same words for its own checks.
const (
	FieldRequired   = "required"   // missing
	FieldUnknown    = "unknown"    // no field or parameter of this name, in this case
	FieldType       = "type"       // null, or of another JSON type
	FieldCharacters = "characters" // control characters other than newline and tab
	FieldTooShort   = "too_short"  // characters of a text, items of a list
	FieldTooLong    = "too_long"
	FieldFormat     = "format" // not a date, UUID, e-mail address …
	FieldEnum       = "enum"   // not one of the listed values
	FieldRange      = "range"  // a number too small or too large
	FieldDuplicate  = "duplicate"
)

const (
	maxFindings = 50  // that one answer reports
	maxPointer  = 200 // bytes of a pointer in an answer
)

// findings are the field errors of a request, in the order of the request.
type findings []domain.FieldError

func (f *findings) add(at jsontext.Pointer, code, format string, args ...any) {
	if len(*f) < maxFindings {
		*f = append(*f, domain.FieldError{Pointer: shortPointer(at), Code: code, Detail: fmt.Sprintf(format, args...)})
	}
}

func (f findings) err() error {
	if len(f) == 0 {
		return nil
	}
	return &domain.Error{Code: domain.CodeValidationFailed, Detail: "the request has invalid fields", Fields: f}
}

// shortPointer returns the pointer, or its nearest parent that is short enough to be
// sent back: the name of an unknown member may have a megabyte.
func shortPointer(at jsontext.Pointer) string {
	for len(at) > maxPointer {
		at = at.Parent()
	}
	return string(at)
}

// shape walks a body and its schema in parallel.
//
// Huma's own validator accepts null for every optional member, reports wrong places
// after a member with a dot in its name, and reports in random order, without codes
// and with the values. Only its schemas and formats are used.
type shape struct {
	schemas huma.Registry
	dec     *jsontext.Decoder
	found   findings
}

// checkShape returns where body, which is JSON (checkJSON), doesn't fit the schema.
func checkShape(schemas huma.Registry, s *huma.Schema, body []byte) findings {
	c := shape{schemas: schemas, dec: jsontext.NewDecoder(strings.NewReader(string(body)))}
	if err := c.value(s, ""); err != nil {
		c.found.add("", FieldType, "the body can't be read")
	}
	return c.found
}

func (c *shape) value(s *huma.Schema, at jsontext.Pointer) error {
	s = resolve(c.schemas, s)
	kind := c.dec.PeekKind()
	if !fits(kind, s) {
		c.found.add(at, FieldType, "must be %s", typeName(s))
		return c.dec.SkipValue()
	}
	switch kind {
	case '{':
		return c.object(s, at)
	case '[':
		return c.array(s, at)
	}
	token, err := c.dec.ReadToken()
	if err != nil {
		return err
	}
	switch kind {
	case '"':
		checkText(&c.found, s, at, token.String())
	case '0':
		checkNumber(&c.found, s, at, token.String())
	}
	return nil
}

func (c *shape) object(s *huma.Schema, at jsontext.Pointer) error {
	if _, err := c.dec.ReadToken(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for c.dec.PeekKind() != '}' {
		token, err := c.dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		seen[name] = true
		member, known := memberSchema(s, name)
		if !known {
			c.found.add(at.AppendToken(name), FieldUnknown, "there is no such field")
			if err := c.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		checkCharacters(&c.found, at.AppendToken(name), name)
		if err := c.value(member, at.AppendToken(name)); err != nil {
			return err
		}
	}
	for _, name := range s.Required {
		if !seen[name] {
			c.found.add(at.AppendToken(name), FieldRequired, "this field is required")
		}
	}
	_, err := c.dec.ReadToken()
	return err
}

func (c *shape) array(s *huma.Schema, at jsontext.Pointer) error {
	if _, err := c.dec.ReadToken(); err != nil {
		return err
	}
	n, before := 0, len(c.found)
	seen := map[string]bool{}
	for ; c.dec.PeekKind() != ']'; n++ {
		if s.MaxItems != nil && n >= *s.MaxItems {
			if err := c.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		item := at.AppendToken(strconv.Itoa(n))
		if c.dec.PeekKind() == '"' && s.UniqueItems {
			value, err := c.dec.ReadValue()
			if err != nil {
				return err
			}
			text, err := jsontext.AppendUnquote(nil, value)
			if err != nil {
				return err
			}
			if seen[string(text)] {
				c.found.add(item, FieldDuplicate, "the item is duplicated")
			}
			seen[string(text)] = true
			checkText(&c.found, resolve(c.schemas, s.Items), item, string(text))
			continue
		}
		if err := c.value(s.Items, item); err != nil {
			return err
		}
	}
	// Before what is wrong with the items, which may fill the answer.
	var count findings
	checkCount(&count, s, at, n)
	c.found = slices.Insert(c.found, before, count...)
	c.found = c.found[:min(len(c.found), maxFindings)]
	_, err := c.dec.ReadToken()
	return err
}

// memberSchema returns the schema of an object's member (nil allows anything) and
// whether the member is known.
func memberSchema(s *huma.Schema, name string) (*huma.Schema, bool) {
	if member, ok := s.Properties[name]; ok {
		return member, true
	}
	switch rest := s.AdditionalProperties.(type) {
	case *huma.Schema:
		return rest, true
	case bool:
		return nil, rest
	}
	return nil, true
}

var anything = &huma.Schema{}

func resolve(schemas huma.Registry, s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = schemas.SchemaFromRef(s.Ref)
	}
	if s == nil {
		return anything
	}
	return s
}

func fits(kind jsontext.Kind, s *huma.Schema) bool {
	switch s.Type {
	case "":
		return true
	case huma.TypeString:
		return kind == '"' || kind == 'n' && s.Nullable
	case huma.TypeInteger, huma.TypeNumber:
		return kind == '0' || kind == 'n' && s.Nullable
	case huma.TypeBoolean:
		return kind == 't' || kind == 'f' || kind == 'n' && s.Nullable
	case huma.TypeArray:
		return kind == '[' || kind == 'n' && s.Nullable
	}
	return kind == '{' || kind == 'n' && s.Nullable
}

func typeName(s *huma.Schema) string {
	name := "a " + s.Type
	if strings.ContainsRune("aio", rune(s.Type[0])) {
		name = "an " + s.Type
	}
	if s.Nullable {
		name += " or null"
	}
	return name
}

// requireCheckable panics for a schema with a keyword that the checks ignore, so that
// the contract promises nothing that isn't enforced.
func requireCheckable(schemas huma.Registry, s *huma.Schema, seen map[*huma.Schema]bool) {
	s = resolve(schemas, s)
	if seen[s] {
		return
	}
	seen[s] = true
	if s.OneOf != nil || s.AnyOf != nil || s.AllOf != nil || s.Not != nil || s.Const != nil || s.Discriminator != nil ||
		s.ExclusiveMinimum != nil || s.ExclusiveMaximum != nil || s.MultipleOf != nil || s.MinProperties != nil ||
		s.MaxProperties != nil || len(s.DependentRequired) > 0 {
		panic("edge: a request's schema uses a keyword that validation.go doesn't check: " + s.Description)
	}
	if s.Items != nil {
		requireCheckable(schemas, s.Items, seen)
	}
	if rest, ok := s.AdditionalProperties.(*huma.Schema); ok {
		requireCheckable(schemas, rest, seen)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		requireCheckable(schemas, s.Properties[name], seen)
	}
}
