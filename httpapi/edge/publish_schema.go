package edge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const schemaPrefix = "#/components/schemas/"

// Enums are the names of the sets of words that fields and parameters take; each
// becomes a schema of its own, so that clients have one type for it.
type Enums map[string][]string

// name returns the name of a set of words; empty if it has none.
func (e Enums) name(words []any) string {
	for name, set := range e {
		same := len(set) == len(words)
		for _, word := range words {
			same = same && slices.Contains(set, fmt.Sprint(word))
		}
		if same {
			return name
		}
	}
	return ""
}

// publishedSchemas is the registry as the document shows it.
type publishedSchemas struct {
	huma.Registry
	enums Enums
	all   map[string]*huma.Schema
}

// add fills in all schemas that the operations have.
func (p publishedSchemas) add() {
	for name, s := range p.Registry.Map() {
		p.all[name] = p.published(s)
	}
	for name, words := range p.enums {
		if p.all[name] != nil {
			panic("edge: two schemas are called " + name)
		}
		p.all[name] = &huma.Schema{Type: huma.TypeString, Enum: anySlice(words)}
	}
}

func anySlice(words []string) []any {
	out := make([]any, len(words))
	for i, word := range words {
		out[i] = word
	}
	return out
}

// Map implements huma.Registry.
func (p publishedSchemas) Map() map[string]*huma.Schema { return p.all }

// MarshalJSON writes the published schemas.
func (p publishedSchemas) MarshalJSON() ([]byte, error) { return json.Marshal(p.all) }

func (p publishedSchemas) content(content map[string]*huma.MediaType) map[string]*huma.MediaType {
	out := map[string]*huma.MediaType{}
	for media, c := range content {
		copied := *c
		copied.Schema = p.published(c.Schema)
		out[media] = &copied
	}
	return out
}

// published returns a copy of a schema for the document: enums by reference, no keyword
// that JSON Schema doesn't know, defaults in words, and no examples: the bodies have some.
func (p publishedSchemas) published(s *huma.Schema) *huma.Schema {
	if s == nil {
		return nil
	}
	c := *s
	c.PatternDescription = ""
	c.Examples = nil
	if rest, ok := s.AdditionalProperties.(*huma.Schema); ok {
		c.AdditionalProperties = p.published(rest)
	}
	c.Items = p.published(s.Items)
	if s.Properties != nil {
		c.Properties = map[string]*huma.Schema{}
		for name, property := range s.Properties {
			member := p.published(property)
			if member.Default != nil {
				member.Description = strings.TrimSpace(fmt.Sprintf("%s Absent: `%v`.", member.Description, member.Default))
				member.Default = nil
			}
			c.Properties[name] = member
		}
	}
	if name := p.enums.name(s.Enum); name != "" {
		named := &huma.Schema{Ref: schemaPrefix + name}
		c = huma.Schema{Description: s.Description, Default: s.Default, Extensions: s.Extensions}
		if s.Nullable {
			c.AnyOf = []*huma.Schema{named, {Type: "null"}}
		} else {
			c.Ref = named.Ref
		}
	}
	return &c
}
