package edge

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// publish returns the document that clients read. Huma's own has everything in place, as the
// checks of requests need it. Published, whatever occurs more than once is a component with
// a name, and only what a client can use is there:
//
//   - enums, parameters, headers and refusals are components (components.go);
//   - bodies, parameters and problems have an example (examples.go);
//   - schemas have no default, which generators take for "required" (publish_schema.go);
//   - the document says that a token is needed, and a public operation that it needs none.
func (r *Router) publish() *huma.OpenAPI {
	doc := *r.api.OpenAPI()
	schemas := publishedSchemas{doc.Components.Schemas, r.enums, map[string]*huma.Schema{}}
	schemas.add()
	doc.Security = []map[string][]string{{bearer: {}}}
	c := newComponents(r.examples)
	doc.Paths = map[string]*huma.PathItem{}
	for _, path := range slices.Sorted(maps.Keys(r.api.OpenAPI().Paths)) {
		item := *r.api.OpenAPI().Paths[path]
		for _, at := range operationsOf(&item) {
			*at = c.operation(schemas, *at)
		}
		doc.Paths[path] = &item
	}
	c.share()
	for _, item := range doc.Paths {
		shareParameters(item)
	}
	doc.Components = &huma.Components{
		Schemas: schemas, SecuritySchemes: doc.Components.SecuritySchemes,
		Parameters: c.parameters.named, Headers: c.headers.named, Responses: c.responses.named,
		Examples: c.examples,
	}
	return &doc
}

// operationsOf are a path's operations, to replace.
func operationsOf(item *huma.PathItem) []**huma.Operation {
	all := []**huma.Operation{&item.Get, &item.Put, &item.Post, &item.Delete, &item.Patch}
	return slices.DeleteFunc(all, func(at **huma.Operation) bool { return *at == nil })
}

// shareParameters moves what all operations of a path take to the path.
func shareParameters(item *huma.PathItem) {
	all := operationsOf(item)
	if len(all) < 2 {
		return
	}
	has := func(o *huma.Operation, p *huma.Param) bool {
		return slices.ContainsFunc(o.Parameters, func(q *huma.Param) bool { return q.Ref == p.Ref })
	}
	for _, p := range (*all[0]).Parameters {
		if p.Ref != "" && !slices.ContainsFunc(all, func(at **huma.Operation) bool { return !has(*at, p) }) {
			item.Parameters = append(item.Parameters, p)
		}
	}
	for _, at := range all {
		(*at).Parameters = slices.DeleteFunc((*at).Parameters, func(p *huma.Param) bool {
			return slices.ContainsFunc(item.Parameters, func(q *huma.Param) bool { return q.Ref == p.Ref })
		})
	}
}

// operation returns a copy of an operation for the document.
func (c *components) operation(schemas publishedSchemas, o *huma.Operation) *huma.Operation {
	published := *o
	op := o.Metadata[operationKey].(Operation)
	published.Security = nil // the document's
	if op.access == public {
		published.Security = []map[string][]string{}
	}
	published.Parameters = nil
	for _, p := range o.Parameters {
		param := publishedParameter(schemas, p)
		name := parameterName(o.Path, &param)
		param.Example = c.from.parameter(name, op.Tag, p)
		published.Parameters = append(published.Parameters, &param)
		c.parameters.use(&param, name, op.Tag)
	}
	if o.RequestBody != nil {
		body := *o.RequestBody
		body.Content = schemas.content(body.Content)
		give(body.Content, c.from.Operations[op.ID].Request)
		published.RequestBody = &body
	}
	published.Responses = map[string]*huma.Response{}
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		response := *o.Responses[status]
		response.Content = schemas.content(response.Content)
		if status < "300" {
			c.giveAnswer(o.Method, status, response.Content, c.from.Operations[op.ID].Answer)
		}
		response.Headers = map[string]*huma.Param{}
		for _, name := range slices.Sorted(maps.Keys(o.Responses[status].Headers)) {
			header := publishedParameter(schemas, o.Responses[status].Headers[name])
			response.Headers[name] = &header
			use := pascal(name)
			if op.NoSeqIfRefused && name == seqHeader {
				use = "Optional" + use
			}
			c.headers.use(&header, use, op.Tag)
		}
		published.Responses[status] = &response
		if codes := o.Responses[status].Extensions[refusalsKey]; codes != nil {
			response.Extensions = nil
			c.refusalExamples(&response, codes.([]string))
			c.responses.use(&response, refusalName(codes.([]string)), op.Tag)
		}
	}
	return &published
}

// publishedParameter returns a copy whose description is in one place, with its schema for
// the document. Huma writes the description into both, and how lists are written also where
// there is none.
func publishedParameter(schemas publishedSchemas, p *huma.Param) huma.Param {
	param := *p
	s := *p.Schema
	if param.Description == "" {
		param.Description = s.Description
	}
	s.Description = ""
	if s.Type != huma.TypeArray {
		param.Explode = nil
	}
	param.Schema = schemas.published(&s)
	return param
}

// parameterName is the name of a parameter among the components: that of an id in a path
// tells whose it is. The suffix keeps it apart from the schemas, which share one namespace
// with it in generated Go.
func parameterName(path string, p *huma.Param) string {
	before, _, _ := strings.Cut(path, "/{"+p.Name+"}")
	if p.In != "path" || p.Name != "id" {
		return pascal(p.Name) + "Param"
	}
	return pascal(strings.TrimSuffix(before[strings.LastIndex(before, "/")+1:], "s")) + "IDParam"
}

// pascal writes a name with hyphens, underscores or dots as one word: If-Match as IfMatch.
func pascal(name string) string {
	var word strings.Builder
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune("-_. ", r) }) {
		if part == "id" {
			part = "ID"
		}
		word.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return word.String()
}

// textOf is a part of the document as JSON, for comparing.
func textOf(part any) string {
	text, err := json.Marshal(part)
	if err != nil {
		panic(err) // the parts are Huma's own types
	}
	return string(text)
}
