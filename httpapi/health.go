package httpapi

import (
	"context"
	"net/http"

	"docket/domain"
	"docket/httpapi/edge"
)

type healthBody struct {
	Status string `json:"status" enum:"ok"`
}

func registerHealth(s *Server) {
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/healthz", ID: "healthz", Tag: "service", Summary: "Is the process alive",
	}, func(context.Context, domain.TenantID, *struct{}) (*plain[healthBody], error) {
		return &plain[healthBody]{healthBody{"ok"}}, nil
	})
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/readyz", ID: "readyz", Tag: "service", Summary: "Can it serve",
		Description: "503 while it starts or stops, while the database can't be reached, and while it might lose what it has acknowledged.",
	}, func(ctx context.Context, _ domain.TenantID, _ *struct{}) (*plain[healthBody], error) {
		if err := s.ready(ctx); err != nil {
			return nil, domain.Refuse(domain.CodeOverloaded, "not ready: %s", err)
		}
		return &plain[healthBody]{healthBody{"ok"}}, nil
	})
}
