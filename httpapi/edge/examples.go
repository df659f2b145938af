package edge

import (
	"encoding/json"
	"net/http"
	"path"

	"github.com/danielgtaylor/huma/v2"

	"docket/domain"
)

// Examples are what the document shows of a real run.
type Examples struct {
	Operations map[string]OperationExample `json:"operations"` // by the operation's id
	// Problems are by code. The example of a code that isn't there is built from the problem
	// table, as an answer is.
	Problems map[string]json.RawMessage `json:"problems"`
	// Parameters are by what tells a parameter from others: its component (ProjectIDParam), its
	// operation's tag and its name ("members q"), its name and format ("from date"), or its name. One of a set of words needs none: its example
	// is the first word.
	Parameters map[string]any `json:"-"`
}

// OperationExample is one success of an operation.
type OperationExample struct {
	Request json.RawMessage `json:"request,omitempty"`
	Answer  json.RawMessage `json:"answer,omitempty"`
}

// exampleRequestID stands in problems that aren't of a run.
const exampleRequestID = "019ad922-5000-7000-8000-000000000001"

// problem is the example of a code.
func (e Examples) problem(code string) any {
	if recorded := e.Problems[code]; recorded != nil {
		return recorded
	}
	return newProblem(&domain.Error{Code: domain.Code(code)}, exampleRequestID)
}

// parameter is the example of a parameter of an operation with a tag; nil if there is none.
// component is its name among the components.
func (e Examples) parameter(component, tag string, p *huma.Param) any {
	words := p.Schema.Enum
	if p.Schema.Items != nil {
		words = p.Schema.Items.Enum
	}
	var example any
	for _, key := range []string{component, tag + " " + p.Name, p.Name + " " + p.Schema.Format, p.Name} {
		if example = e.Parameters[key]; example != nil {
			break
		}
	}
	if example == nil && len(words) > 0 {
		example = words[0]
	}
	if example != nil && p.Schema.Type == huma.TypeArray {
		return []any{example}
	}
	return example
}

// give adds an example to a body in JSON.
func give(content map[string]*huma.MediaType, example json.RawMessage) {
	if body := content[JSONMediaType]; body != nil && example != nil {
		body.Example = example
	}
}

// answers are the bodies of answers with one schema.
type answers struct {
	all []*huma.MediaType
	// read is the example of the first operation that reads; nil if none does.
	read any
}

// giveAnswer adds an example to an answer. What was created has one of its own.
func (c *components) giveAnswer(method, status string, content map[string]*huma.MediaType, example json.RawMessage) {
	give(content, example)
	body := content[JSONMediaType]
	if body == nil || example == nil || body.Schema.Ref == "" || status == "201" {
		return
	}
	schema := path.Base(body.Schema.Ref)
	if c.answers[schema] == nil {
		c.answers[schema] = &answers{}
	}
	a := c.answers[schema]
	a.all = append(a.all, body)
	if a.read == nil && method == http.MethodGet {
		a.read = example
	}
}

// shareAnswers makes one example of those of all answers that have the schema of what can be
// read: copies would be several KB of the document.
func (c *components) shareAnswers() {
	for schema, a := range c.answers {
		if a.read == nil || len(a.all) < 2 {
			continue
		}
		c.examples[schema] = &huma.Example{Value: a.read}
		for _, body := range a.all {
			body.Example = nil
			body.Examples = map[string]*huma.Example{schema: {Ref: "#/components/examples/" + schema}}
		}
	}
}

// refusalExamples refers to the examples of a response's codes, and notes which they are.
func (c *components) refusalExamples(response *huma.Response, codes []string) {
	refs := map[string]*huma.Example{}
	for _, code := range codes {
		refs[code] = &huma.Example{Ref: "#/components/examples/" + code}
		if c.examples[code] == nil {
			c.examples[code] = &huma.Example{Value: c.from.problem(code)}
		}
	}
	response.Content[problemMediaType].Examples = refs
}
