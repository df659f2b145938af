package httpapi

import (
	"bytes"
	stdjson "encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"docket/httpapi/edge"
	"docket/internal/apitest"
)

// published is the OpenAPI document as the server emits it: what a client knows.
type published struct {
	endpoints []*endpoint
	schemas   map[string]*jsonSchema
}

// endpoint is one operation of the document.
type endpoint struct {
	Method, Path string
	ID           string               `json:"operationId"`
	Access       string               `json:"x-docket-access"`
	Action       string               `json:"x-docket-action"`
	Parameters   []*endpointParameter `json:"parameters"`
	RequestBody  *struct {
		Required bool
		Content  map[string]mediaType
	}
	form *regexp.Regexp
}

type endpointParameter struct {
	Ref      string `json:"$ref"`
	Name, In string
	Required bool
	Schema   *jsonSchema
}

type mediaType struct{ Schema *jsonSchema }

// publishedText is the document that every server of a world publishes.
var publishedText = sync.OnceValues(func() ([]byte, error) {
	s, err := New(Config{MasterKey: make([]byte, 32), Version: "test"})
	if err != nil {
		return nil, err
	}
	return s.OpenAPI()
})

// readDocument prepares the document for the checks of exchanges.
var readDocument = sync.OnceValues(func() (*apitest.Document, error) {
	text, err := publishedText()
	if err != nil {
		return nil, err
	}
	return apitest.Read(text)
})

// readPublished reads the document.
var readPublished = sync.OnceValues(func() (*published, error) {
	text, err := publishedText()
	if err != nil {
		return nil, err
	}
	var doc struct {
		Paths      map[string]map[string]stdjson.RawMessage
		Components struct {
			Schemas    map[string]*jsonSchema
			Parameters map[string]*endpointParameter
		}
	}
	if err := stdjson.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	d := &published{schemas: doc.Components.Schemas}
	parameter := regexp.MustCompile(`\\\{[^/]+\\\}`)
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		of := doc.Paths[path]
		for _, method := range slices.Sorted(maps.Keys(of)) {
			if method == "parameters" { // of all operations of the path
				continue
			}
			var shared []*endpointParameter
			if raw := of["parameters"]; raw != nil {
				if err := stdjson.Unmarshal(raw, &shared); err != nil {
					return nil, err
				}
			}
			e := &endpoint{}
			if err := stdjson.Unmarshal(of[method], e); err != nil {
				return nil, err
			}
			if e.Action != "" {
				e.Access = "tenant"
			}
			e.Parameters = append(shared, e.Parameters...)
			e.Method, e.Path = strings.ToUpper(method), path
			for i, p := range e.Parameters {
				if p.Ref != "" {
					e.Parameters[i] = doc.Components.Parameters[strings.TrimPrefix(p.Ref, "#/components/parameters/")]
				}
				e.Parameters[i].Schema = d.resolve(e.Parameters[i].Schema)
			}
			e.form = regexp.MustCompile("^" + parameter.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
			d.endpoints = append(d.endpoints, e)
		}
	}
	return d, nil
})

// find is the operation of a request, the one with the fewest parameters in its
// path; nil for what isn't published.
func (d *published) find(method, path string) *endpoint {
	var found *endpoint
	for _, e := range d.endpoints {
		if e.Method == method && e.form.MatchString(path) &&
			(found == nil || strings.Count(e.Path, "{") < strings.Count(found.Path, "{")) {
			found = e
		}
	}
	return found
}

// by is the operation with this id, nil where there is none.
func (d *published) by(id string) *endpoint {
	for _, e := range d.endpoints {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// body is the schema of the operation's body, nil where it has none.
func (e *endpoint) body() *jsonSchema {
	if e.RequestBody == nil {
		return nil
	}
	return e.RequestBody.Content[edge.JSONMediaType].Schema
}

// jsonSchema is what the document uses of JSON Schema. A keyword that isn't here
// fails the reading, so that none stands in the document unchecked.
type jsonSchema struct {
	Ref                  string                 `json:"$ref"`
	Type                 schemaTypes            `json:"type"`
	Format               string                 `json:"format"`
	Enum                 []any                  `json:"enum"`
	Properties           map[string]*jsonSchema `json:"properties"`
	Required             []string               `json:"required"`
	AdditionalProperties any                    `json:"additionalProperties"`
	Items                *jsonSchema            `json:"items"`
	MinLength            *int                   `json:"minLength"`
	MaxLength            *int                   `json:"maxLength"`
	MinItems             *int                   `json:"minItems"`
	MaxItems             *int                   `json:"maxItems"`
	UniqueItems          bool                   `json:"uniqueItems"`
	Minimum              *float64               `json:"minimum"`
	Maximum              *float64               `json:"maximum"`
	Pattern              string                 `json:"pattern"`
	Description          string                 `json:"description"`
	Default              any                    `json:"default"`
	AnyOf                []*jsonSchema          `json:"anyOf"`
	Examples             []any                  `json:"examples"`
}

// UnmarshalJSON refuses keywords that the tests don't know.
func (s *jsonSchema) UnmarshalJSON(text []byte) error {
	type plain jsonSchema
	dec := stdjson.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode((*plain)(s))
}

// schemaTypes is one type or several.
type schemaTypes []string

// UnmarshalJSON reads a string or an array of strings.
func (t *schemaTypes) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		*t = make(schemaTypes, 1)
		return stdjson.Unmarshal(text, &(*t)[0])
	}
	return stdjson.Unmarshal(text, (*[]string)(t))
}

func (d *published) resolve(s *jsonSchema) *jsonSchema {
	if s == nil {
		return &jsonSchema{} // anything
	}
	for s.Ref != "" {
		s = d.schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	return s
}
