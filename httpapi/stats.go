package httpapi

import (
	"context"
	"net/http"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// tenantStatsBody are a tenant's totals.
type tenantStatsBody struct {
	Members       int64                 `json:"members"`
	Projects      map[string]int64      `json:"projects" doc:"By status; every status is there."`
	Tasks         map[string]int64      `json:"tasks" doc:"By status; every status is there."`
	Comments      int64                 `json:"comments"`
	Events        int64                 `json:"events"`
	Head          int64                 `json:"head" doc:"The last seq of the tenant's log."`
	Subscriptions []subscriptionLagBody `json:"subscriptions" doc:"None with as_of."`
}

type subscriptionLagBody struct {
	Name string `json:"name"`
	Lag  int64  `json:"lag" doc:"The number of events it hasn't processed."`
}

func registerStats(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/admin/stats", ID: "get-stats", Tag: "admin", Action: domain.StatsRead,
		Summary: "The tenant's totals and the lag of its subscriptions", Description: "Deleted resources and what belongs to them aren't counted.",
	}, s.stats)
}

func (s *Server) stats(ctx context.Context, scope domain.Scope, in *struct{ AsOfInput }) (*asOfPlain[tenantStatsBody], error) {
	at, err := s.asOf(ctx, scope, in.AsOfInput)
	if err != nil {
		return nil, err
	}
	var stats projections.Stats
	if at != nil {
		stats, err = s.queries.StatsAsOf(ctx, scope, *at)
	} else {
		stats, err = s.queries.Stats(ctx, scope, s.fresh(scope, in.Positioned))
	}
	if err != nil {
		return nil, err
	}
	return &asOfPlain[tenantStatsBody]{AsOf: asOfHeader(at), Body: renderStats(stats)}, nil
}

func renderStats(stats projections.Stats) tenantStatsBody {
	b := tenantStatsBody{
		Members: stats.Members, Projects: map[string]int64{}, Tasks: map[string]int64{}, Comments: stats.Comments,
		Events: stats.Head, Head: stats.Head, // a log has no gaps
	}
	for _, st := range domain.Statuses() {
		b.Projects[string(st.Name)] = stats.Projects[st.Name]
	}
	for _, st := range domain.TaskStatuses() {
		b.Tasks[string(st)] = stats.Tasks[st]
	}
	for _, sub := range stats.Subscriptions {
		b.Subscriptions = append(b.Subscriptions, subscriptionLagBody(sub))
	}
	return b
}
