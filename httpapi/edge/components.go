package edge

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"docket/domain"
)

// components collects what may occur more than once in the document.
type components struct {
	parameters shared[huma.Param]
	headers    shared[huma.Param]
	responses  shared[huma.Response]
	examples   map[string]*huma.Example // of problems by code, of answers by schema
	answers    map[string]*answers      // by schema
	from       Examples
}

func newComponents(from Examples) *components {
	return &components{
		parameters: newShared("parameters", 2, func(ref string) huma.Param { return huma.Param{Ref: ref} }),
		headers:    newShared("headers", 1, func(ref string) huma.Param { return huma.Param{Ref: ref} }),
		responses:  newShared("responses", 1, func(ref string) huma.Response { return huma.Response{Ref: ref} }),
		examples:   map[string]*huma.Example{},
		answers:    map[string]*answers{},
		from:       from,
	}
}

// share replaces each part that is used often enough by a reference to a component.
func (c *components) share() {
	c.parameters.share()
	c.headers.share()
	c.responses.share()
	c.shareAnswers()
}

// shared are the parts of one kind: equal ones become one component.
type shared[T any] struct {
	kind  string // the key below components
	least int    // of uses; a part with fewer stays where it is
	ref   func(string) T
	parts map[string]*part[T] // by name and JSON
	named map[string]*T
}

// part is one content, and where it is used.
type part[T any] struct {
	name, tag string
	uses      []*T
}

func newShared[T any](kind string, least int, ref func(string) T) shared[T] {
	return shared[T]{kind, least, ref, map[string]*part[T]{}, map[string]*T{}}
}

// use notes a part of the document, which share may replace in place. The tag tells apart
// what has the same name and another content.
func (s *shared[T]) use(value *T, name, tag string) {
	text := name + " " + textOf(value)
	if s.parts[text] == nil {
		s.parts[text] = &part[T]{name: name, tag: tag}
	}
	s.parts[text].uses = append(s.parts[text].uses, value)
}

func (s *shared[T]) share() {
	byName := map[string][]*part[T]{}
	for _, text := range slices.Sorted(maps.Keys(s.parts)) {
		if p := s.parts[text]; len(p.uses) >= s.least {
			byName[p.name] = append(byName[p.name], p)
		}
	}
	for _, parts := range byName {
		for _, p := range parts {
			name := p.name
			if len(parts) > 1 {
				name = pascal(p.tag) + name
			}
			if s.named[name] != nil {
				panic(fmt.Sprintf("edge: two of components/%s are called %s", s.kind, name))
			}
			value := *p.uses[0]
			s.named[name] = &value
			for _, use := range p.uses {
				*use = s.ref("#/components/" + s.kind + "/" + name)
			}
		}
	}
}

// refusalsKey marks a response that refuses, with its codes; it isn't published.
const refusalsKey = "x-docket-refusals"

// refusalGroups name the codes that come together, so that a component is called
// ConflictProjectClosed, not after each of its codes.
var refusalGroups = []struct {
	name  string
	codes []domain.Code
}{
	{"BadRequest", []domain.Code{domain.CodeMalformed, domain.CodeUnknownParameter, domain.CodeEpochChanged, domain.CodeTenantInvalid, domain.CodeTenantMismatch}},
	{"BadPlainRequest", []domain.Code{domain.CodeMalformed, domain.CodeUnknownParameter}},
	{"BadEpoch", []domain.Code{domain.CodeEpochChanged}},
	{"BadTenant", []domain.Code{domain.CodeTenantInvalid, domain.CodeTenantMismatch}},
	{"NoAccess", []domain.Code{domain.CodeUnauthenticated, domain.CodeTokenExpired}},
	{"Forbidden", []domain.Code{domain.CodeTenantAccessDenied, domain.CodeInsufficientRole, domain.CodeServiceAccountDenied}},
	{"ForPeople", []domain.Code{domain.CodeServiceAccountDenied}},
	{"Conflict", []domain.Code{domain.CodeConcurrentUpdate}},
	{"Unprocessable", []domain.Code{domain.CodeValidationFailed, domain.CodeIdempotencyKeyReused}},
	{"NoRegistration", []domain.Code{domain.CodeRegistrationClosed}}, // RegistrationClosed is a value of Registration
	{"CommandUnavailable", []domain.Code{domain.CodeOverloaded, domain.CodeOutcomeUnknown}},
	{"ReadUnavailable", []domain.Code{domain.CodeOverloaded, domain.CodeReadModelLagging}},
}

// refusalName is the name of the response that refuses with one of the codes.
func refusalName(codes []string) string {
	var name strings.Builder
	for _, group := range refusalGroups {
		whole := !slices.ContainsFunc(group.codes, func(c domain.Code) bool { return !slices.Contains(codes, string(c)) })
		if whole {
			name.WriteString(group.name)
			codes = slices.DeleteFunc(slices.Clone(codes), func(c string) bool { return slices.Contains(group.codes, domain.Code(c)) })
		}
	}
	for _, code := range codes {
		name.WriteString(pascal(code))
	}
	return name.String()
}

// refusal is the response that refuses with one of the codes, which have one status.
func refusal(problem *huma.Schema, codes []domain.Code) *huma.Response {
	response := &huma.Response{Content: map[string]*huma.MediaType{problemMediaType: {Schema: problem}}}
	var names []string
	for _, code := range codes {
		names = append(names, string(code))
	}
	response.Description = "`" + strings.Join(names, "`, `") + "`" // the examples have their titles
	if slices.Contains(codes, domain.CodeRateLimited) {
		response.Headers = limitedHeaders()
	}
	response.Extensions = map[string]any{refusalsKey: names}
	return response
}
