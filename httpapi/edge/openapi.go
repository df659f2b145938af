package edge

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"docket/domain"
)

// about is the page that readers of the document start from, in Markdown.
//
//go:embed about.md
var about string

// bearer is the name of the one security scheme in OpenAPI.
const bearer = "bearer"

// tags are the chapters of the OpenAPI document, in order.
var tags = []*huma.Tag{
	{Name: "auth", Description: "Registering, logging in, sessions."},
	{Name: "me", Description: "The caller, in every tenant."},
	{Name: "tenants", Description: "Tenants and joining them."},
	{Name: "members", Description: "The members of a tenant and their roles."},
	{Name: "projects", Description: "Projects and their workflow."},
	{Name: "tasks", Description: "The tasks of projects: who does what until when."},
	{Name: "comments", Description: "Comments on tasks, and the members that they mention."},
	{Name: "notifications", Description: "What concerns the caller: assignments, mentions, changes of status."},
	{Name: "api keys", Description: "Service accounts, which programs use with a key."},
	{Name: "admin", Description: "Settings, activity and the raw log of a tenant."},
	{Name: "reports", Description: "Reports on projects."},
	{Name: "service", Description: "The server itself: health, problems, documentation."},
}

func contract(version string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:       "Docket",
			Version:     version,
			Description: about,
			License:     &huma.License{Name: "MIT", Identifier: "MIT"},
		},
		Servers: []*huma.Server{{URL: "/"}},
		Tags:    tags,
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry(schemaPrefix, schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{bearer: {
				Type: "http", Scheme: "bearer", BearerFormat: "JWT",
				Description: "The access_token of POST /v1/auth/login, or the key of a service account (POST /v1/api-keys).",
			}},
		},
		OnAddOperation: []huma.AddOpFunc{completeOperation},
	}
}

// schemaName is Huma's name for a type without the suffix Body; a list of tasks is a
// TaskPage.
func schemaName(t reflect.Type, hint string) string {
	name := strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "Body")
	if items, list := strings.CutPrefix(name, "List"); list && strings.HasPrefix(t.Name(), "List[") {
		return items + "Page"
	}
	return name
}

// document renders the OpenAPI document, indented; the same operations give the
// same bytes.
func (r *Router) document() ([]byte, error) {
	body, err := json.MarshalIndent(r.publish(), "", " ")
	if err != nil {
		return nil, errors.Join(errors.New("openapi"), err)
	}
	return append(body, '\n'), nil
}

// registerOpenAPI serves the OpenAPI document at /openapi.json and nowhere else, without
// the white space that is a third of it.
func registerOpenAPI(r *Router) {
	compact := sync.OnceValues(func() ([]byte, error) {
		document, err := r.openAPI()
		if err != nil {
			return nil, err
		}
		var body bytes.Buffer
		err = json.Compact(&body, document)
		return body.Bytes(), err
	})
	register(r, Operation{
		Method: http.MethodGet, Path: "/openapi.json", ID: "get-openapi", Tag: "service", access: public,
		Summary: "This document", Description: "OpenAPI 3.1. It changes only when the server is upgraded.", Static: true,
		Content: map[string]*huma.MediaType{JSONMediaType: {Schema: &huma.Schema{Type: huma.TypeObject}}},
	}, func(context.Context, *struct{}) (*Raw, error) {
		body, err := compact()
		return &Raw{ContentType: JSONMediaType, Body: body}, err
	})
}

// completeOperation is Huma's hook that runs once an operation's parameters and body
// are known. It adds the problems, and marks the headers that are always sent.
func completeOperation(o *huma.OpenAPI, h *huma.Operation) {
	op := h.Metadata[operationKey].(Operation)
	for _, p := range h.Parameters {
		requireCheckable(o.Components.Schemas, p.Schema, map[*huma.Schema]bool{})
	}
	if h.RequestBody != nil {
		requireCheckable(o.Components.Schemas, h.RequestBody.Content[JSONMediaType].Schema, map[*huma.Schema]bool{})
	}
	for status, response := range h.Responses {
		if op.access != public && status < "300" {
			if response.Headers == nil {
				response.Headers = map[string]*huma.Param{}
			}
			response.Headers[epochHeader] = &huma.Param{Schema: &huma.Schema{Type: huma.TypeString, Format: "uuid"},
				Description: "The epoch of the database. Another one than before: positions, versions and cursors of before say nothing any more."}
		}
		for name, header := range response.Headers {
			header.Required = name != asOfHeaderName && name != epochHeader && !(op.NoSeqIfRefused && name == seqHeader)
		}
	}
	schema := o.Components.Schemas.Schema(typeOf[problem](), true, "")
	byStatus := map[int][]domain.Code{}
	for _, code := range codesOf(op, h) {
		kind, known := problemKinds[code]
		if !known {
			panic("edge: " + op.ID + ": unknown code " + string(code))
		}
		byStatus[kind.Status] = append(byStatus[kind.Status], code)
	}
	delete(h.Responses, "default")
	for _, status := range slices.Sorted(maps.Keys(byStatus)) {
		h.Responses[strconv.Itoa(status)] = refusal(schema, byStatus[status])
	}
}

// codesOf returns the codes of all refusals of an operation, sorted and unique.
func codesOf(op Operation, h *huma.Operation) []domain.Code {
	codes := append(slices.Clone(op.Errors), domain.CodeUnknownParameter, domain.CodeMalformed, domain.CodeInternal)
	if !op.Static {
		codes = append(codes, domain.CodeOverloaded)
	}
	if op.access != public {
		codes = append(codes, domain.CodeUnauthenticated, domain.CodeTokenExpired, domain.CodeServiceAccountDenied)
	}
	if !op.Unlimited {
		codes = append(codes, domain.CodeRateLimited)
	}
	if op.access == tenant {
		codes = append(codes, domain.CodeTenantMismatch, domain.CodeTenantInvalid, domain.CodeTenantAccessDenied,
			domain.CodeInsufficientRole)
	}
	if h.RequestBody != nil {
		codes = append(codes, domain.CodePayloadTooLarge, domain.CodeUnsupportedMediaType, domain.CodeValidationFailed)
	}
	for _, p := range h.Parameters {
		switch {
		case p.In == "query" && p.Name == minSeqParameter:
			codes = append(codes, domain.CodeReadModelLagging, domain.CodeUnsupportedCombination, domain.CodeValidationFailed)
		case p.In == "query":
			codes = append(codes, domain.CodeValidationFailed)
		case p.In == "path":
			codes = append(codes, domain.CodeNotFound)
		case strings.EqualFold(p.Name, ifMatchHeader):
			codes = append(codes, domain.CodeVersionConflict)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// SchemaOf returns the schema of T in the router's document.
func SchemaOf[T any](r *Router) *huma.Schema {
	return r.api.OpenAPI().Components.Schemas.Schema(typeOf[T](), true, "")
}
