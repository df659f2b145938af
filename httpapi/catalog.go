package httpapi

import (
	"context"
	"net/http"

	"docket/domain"
	"docket/httpapi/edge"
)

func registerCatalog(s *Server) {
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/catalog/projects", ID: "list-catalog", Tag: "projects", Resolves: true,
		Summary: "A tenant's public projects", Description: "Needs no token. Lists the projects whose visibility is public now; as_of and min_seq are not supported.",
		Errors: []domain.Code{domain.CodeNotFound, domain.CodeCursorInvalid},
	}, s.catalog)
}

func (s *Server) catalog(ctx context.Context, t domain.TenantID, in *struct{ edge.Paged }) (*plain[edge.List[projectBody]], error) {
	if there, err := s.commands.TenantExists(ctx, t); err != nil || !there {
		if err == nil {
			err = domain.NotFound("tenant")
		}
		return nil, err
	}
	l := edge.Listing{Tenant: t, Route: "list-catalog"}
	page, err := s.page(in.Paged, l)
	if err != nil {
		return nil, err
	}
	items, next, err := s.queries.Catalog(ctx, t, page)
	if err != nil {
		return nil, err
	}
	return listResponse(s, l, items, next, renderProject)
}
