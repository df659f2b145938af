package httpapi

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
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
	Responses map[string]struct {
		Description string
		Headers     map[string]any
		Content     map[string]mediaType
	}
	form *regexp.Regexp
}

type endpointParameter struct {
	Name, In string
	Required bool
	Schema   *jsonSchema
}

type mediaType struct{ Schema *jsonSchema }

func readPublished(t testing.TB, s *Server) *published {
	t.Helper()
	text, err := s.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths      map[string]map[string]*endpoint
		Components struct{ Schemas map[string]*jsonSchema }
	}
	if err := stdjson.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	d := &published{schemas: doc.Components.Schemas}
	parameter := regexp.MustCompile(`\\\{[^/]+\\\}`)
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
			e := doc.Paths[path][method]
			e.Method, e.Path = strings.ToUpper(method), path
			e.form = regexp.MustCompile("^" + parameter.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
			d.endpoints = append(d.endpoints, e)
		}
	}
	return d
}

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
	return e.RequestBody.Content[jsonMediaType].Schema
}

// disagrees is what is wrong with an answer by the document: the status, the
// media type, the headers, the problem's code, or the body.
func (d *published) disagrees(method, path string, rec *httptest.ResponseRecorder) []string {
	e := d.find(method, path)
	if e == nil {
		return nil
	}
	response, ok := e.Responses[strconv.Itoa(rec.Code)]
	if !ok {
		return []string{e.ID + " has no such status"}
	}
	var wrong []string
	for name := range response.Headers {
		if rec.Header().Get(name) == "" {
			wrong = append(wrong, "no header "+name)
		}
	}
	if len(response.Content) == 0 {
		if rec.Body.Len() > 0 {
			wrong = append(wrong, "a body where there should be none")
		}
		return wrong
	}
	media, _, _ := strings.Cut(rec.Header().Get("Content-Type"), ";")
	content, ok := response.Content[media]
	switch {
	case !ok:
		return append(wrong, "no such media type: "+media)
	case content.Schema == nil || media == ndjsonMediaType:
		return wrong
	}
	var body any
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil { // duplicate members are errors
		return append(wrong, err.Error())
	}
	wrong = append(wrong, d.misfits(content.Schema, "", body)...)
	if media == problemMediaType {
		code, _ := body.(map[string]any)["code"].(string)
		if !strings.Contains(response.Description, "`"+code+"`") {
			wrong = append(wrong, e.ID+" doesn't name the code "+code)
		}
	}
	return wrong
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
	MaxItems             *int                   `json:"maxItems"`
	UniqueItems          bool                   `json:"uniqueItems"`
	Minimum              *float64               `json:"minimum"`
	Maximum              *float64               `json:"maximum"`
	Pattern              string                 `json:"pattern"`
	PatternDescription   string                 `json:"patternDescription"`
	Description          string                 `json:"description"`
	Default              any                    `json:"default"`
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

// misfits is where a value doesn't fit a schema.
func (d *published) misfits(s *jsonSchema, at string, value any) []string {
	s = d.resolve(s)
	wrong := func(format string, args ...any) []string {
		return []string{at + ": " + fmt.Sprintf(format, args...)}
	}
	kind := map[bool]string{true: "null"}[value == nil]
	switch v := value.(type) {
	case string:
		kind = "string"
		if !formatHolds(s.Format, v) {
			return wrong("%q isn't a %s", v, s.Format)
		}
	case float64:
		kind = "number"
		if v == float64(int64(v)) && slices.Contains(s.Type, "integer") {
			kind = "integer"
		}
	case bool:
		kind = "boolean"
	case []any:
		kind = "array"
	case map[string]any:
		kind = "object"
	}
	if len(s.Type) > 0 && !slices.Contains(s.Type, kind) {
		return wrong("%s where %v is documented", kind, s.Type)
	}
	if len(s.Enum) > 0 && value != nil && !slices.Contains(s.Enum, value) {
		return wrong("%v isn't one of %v", value, s.Enum)
	}
	var all []string
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			all = append(all, d.misfits(s.Items, at+"/"+strconv.Itoa(i), item)...)
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				all = append(all, wrong("%s is missing", name)...)
			}
		}
		for name, member := range v {
			switch known := s.Properties[name]; {
			case known != nil:
				all = append(all, d.misfits(known, at+"/"+name, member)...)
			case s.AdditionalProperties == false:
				all = append(all, wrong("%s isn't documented", name)...)
			}
		}
	}
	return all
}

func formatHolds(format, text string) bool {
	switch format {
	case "uuid":
		return canonicalUUID.MatchString(text) && text == strings.ToLower(text)
	case "date-time":
		at, err := time.Parse(time.RFC3339Nano, text)
		return err == nil && strings.HasSuffix(text, "Z") && !at.IsZero()
	case "date":
		_, err := time.Parse(time.DateOnly, text)
		return err == nil
	}
	return true
}
