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
		Method: http.MethodGet, Path: "/healthz", ID: "healthz", Tag: "service", Summary: "Liveness",
		Description: "200 while the process runs, whatever its database does.", Static: true, Unlimited: true,
	}, func(context.Context, domain.TenantID, *struct{}) (*plain[healthBody], error) {
		return &plain[healthBody]{healthBody{"ok"}}, nil
	})
	edge.RegisterPublic(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/readyz", ID: "readyz", Tag: "service", Summary: "Readiness", Unlimited: true,
		Description: "503 while the server starts or stops, while the database is unreachable, and while acknowledged changes might be lost.",
	}, func(ctx context.Context, _ domain.TenantID, _ *struct{}) (*plain[healthBody], error) {
		if err := s.ready(ctx); err != nil {
			return nil, domain.Refuse(domain.CodeOverloaded, "not ready: %s", err)
		}
		return &plain[healthBody]{healthBody{"ok"}}, nil
	})
}
