package edge

import (
	"bytes"
	"context"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"docket/domain"
)

// problemExplanation is one code in GET /problems.
type problemExplanation struct {
	Type        string `json:"type" doc:"The field type of problems with this code."`
	Code        string `json:"code"`
	Status      int    `json:"status"`
	Title       string `json:"title"`
	Explanation string `json:"explanation"`
}

func problemType(code domain.Code) string { return "/problems/" + string(code) }

func explain(code domain.Code) problemExplanation {
	kind := problemKinds[code]
	return problemExplanation{problemType(code), string(code), kind.Status, kind.Title, kind.Explanation}
}

// explainAll returns every code, by status and then by name.
func explainAll() List[problemExplanation] {
	var all List[problemExplanation]
	for code := range problemKinds {
		all.Items = append(all.Items, explain(code))
	}
	slices.SortFunc(all.Items, func(a, b problemExplanation) int {
		if a.Status != b.Status {
			return a.Status - b.Status
		}
		return strings.Compare(a.Code, b.Code)
	})
	return all
}

// problemPage is the HTML for browsers that open a problem's type.
var problemPage = template.Must(template.New("problems").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Problems</title>
<h1>Problems</h1>
{{range .}}<h2 id="{{.Code}}">{{.Title}}</h2>
<p><a href="/problems/{{.Code}}"><code>{{.Code}}</code></a>, status {{.Status}}</p>
<p>{{.Explanation}}</p>
{{end}}</html>
`))

// explanation renders entries as HTML if the client prefers it, else as JSON.
func explanation(accepted Accept, value any, entries ...problemExplanation) (*Raw, error) {
	out := &Raw{Vary: []string{"Accept"}, ContentType: "application/json"}
	var err error
	if accepted.Prefers("text/html", JSONMediaType) {
		var page bytes.Buffer
		err = problemPage.Execute(&page, entries)
		out.ContentType, out.Body = "text/html; charset=utf-8", page.Bytes()
	} else {
		out.Body, err = json.Marshal(value)
	}
	return out, err
}

// registerProblems adds the routes that problem types point to.
func registerProblems(r *Router) {
	content := func(s *huma.Schema) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/json": {Schema: s}, "text/html": {}}
	}
	register(r, Operation{
		Method: http.MethodGet, Path: "/problems", ID: "list-problems", Tag: "service", access: public,
		Summary: "All problem codes", Description: "The list has one page: next_cursor is null.", Static: true,
		Content: content(SchemaOf[List[problemExplanation]](r)),
	}, func(_ context.Context, in *struct{ Accept }) (*Raw, error) {
		all := explainAll()
		return explanation(in.Accept, all, all.Items...)
	})
	register(r, Operation{
		Method: http.MethodGet, Path: "/problems/{code}", ID: "get-problem", Tag: "service", access: public,
		Summary: "One problem code", Description: "The type of every problem leads here.", Static: true,
		Content: content(SchemaOf[problemExplanation](r)),
		Errors:  []domain.Code{domain.CodeNotFound},
	}, func(_ context.Context, in *struct {
		Accept
		Code string `path:"code" example:"not-found"`
	}) (*Raw, error) {
		if _, known := problemKinds[domain.Code(in.Code)]; !known {
			return nil, domain.NotFound("problem")
		}
		entry := explain(domain.Code(in.Code))
		return explanation(in.Accept, entry, entry)
	})
}
