package httpapi

import (
	"context"
	"net/http"

	"docket/domain"
)

func registerCatalog(s *Server) {
	registerPublic(s, operation{
		Method: http.MethodGet, Path: "/v1/catalog/projects", ID: "list-catalog", Tag: "projects", Resolves: true,
		Summary: "A tenant's public projects", Description: "Needs no token. Shows the projects whose visibility is public now: there is neither as_of nor min_seq.",
		Errors: []domain.Code{domain.CodeNotFound, domain.CodeCursorInvalid},
	}, s.catalog)
}

func (s *Server) catalog(ctx context.Context, t domain.TenantID, in *struct{ Paged }) (*plain[list[projectBody]], error) {
	if there, err := s.commands.TenantExists(ctx, t); err != nil || !there {
		if err == nil {
			err = domain.NotFound("tenant")
		}
		return nil, err
	}
	l := listing{Tenant: t, Route: "list-catalog"}
	page, err := s.page(in.Paged, l)
	if err != nil {
		return nil, err
	}
	items, next, err := s.queries.Catalog(ctx, t, page)
	if err != nil {
		return nil, err
	}
	return answerList(s, l, items, next, renderProject)
}
