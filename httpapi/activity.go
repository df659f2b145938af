package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"

	"github.com/google/uuid"
)

// activityBody is a line of the activity log.
type activityBody struct {
	Seq        int64             `json:"seq"`
	At         time.Time         `json:"at"`
	ActorID    *domain.UserID    `json:"actor_id" format:"uuid" nullable:"true" doc:"null where the system acted."`
	ActorName  string            `json:"actor_name"`
	Action     string            `json:"action" doc:"The type of the event."`
	EntityType domain.StreamType `json:"entity_type" enum:"tenant,member,project,task,comment,subscription"`
	EntityID   uuid.UUID         `json:"entity_id" format:"uuid"`
	ProjectID  *domain.ProjectID `json:"project_id" format:"uuid" nullable:"true"`
	Summary    string            `json:"summary"`
	Changes    []fieldChangeBody `json:"changes"`
	RequestID  string            `json:"request_id"`
}

// fieldChangeBody is one field's old and new value.
type fieldChangeBody struct {
	Field string `json:"field"`
	From  any    `json:"from"`
	To    any    `json:"to"`
}

func renderChanges(changes []domain.Change) []fieldChangeBody {
	out := make([]fieldChangeBody, 0, len(changes))
	for _, c := range changes {
		out = append(out, fieldChangeBody{Field: c.Field, From: c.From, To: c.To})
	}
	return out
}

func renderActivity(a projections.Activity) activityBody {
	return activityBody{
		Seq: a.Seq, At: a.At, ActorID: a.ActorID, ActorName: a.ActorName, Action: a.Action,
		EntityType: a.EntityType, EntityID: a.EntityID, ProjectID: a.ProjectID, Summary: a.Summary,
		Changes: renderChanges(a.Changes), RequestID: a.RequestID,
	}
}

type ActivityFilter struct {
	ActorID    edge.Filter[domain.UserID]     `query:"actor_id" format:"uuid" json:"actor_id"`
	EntityType edge.Filter[domain.StreamType] `query:"entity_type" enum:"tenant,member,project,task,comment,subscription" json:"entity_type"`
	EntityID   edge.Filter[uuid.UUID]         `query:"entity_id" format:"uuid" json:"entity_id"`
	Action     edge.Filter[string]            `query:"action" maxLength:"100" json:"action" doc:"An event type, such as task.created."`
	From       edge.Filter[time.Time]         `query:"from" format:"date-time" json:"from" doc:"The earliest time, itself included."`
	To         edge.Filter[time.Time]         `query:"to" format:"date-time" json:"to" doc:"The first time left out."`
	AfterSeq   int64                          `query:"after_seq" minimum:"0" json:"after_seq" doc:"Only what comes after this seq."`
}

func registerActivity(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/admin/activity", ID: "list-activity", Tag: "admin", Action: domain.ActivityRead,
		Summary: "The activity log", Description: "Oldest first.", Errors: []domain.Code{domain.CodeCursorInvalid},
	}, s.listActivity)
}

func (s *Server) listActivity(ctx context.Context, scope domain.Scope, in *struct {
	edge.Paged
	edge.Positioned
	ActivityFilter
}) (*plain[edge.List[activityBody]], error) {
	l := edge.Listing{Tenant: scope.Tenant(), Route: "list-activity", Filters: in.ActivityFilter}
	after, err := edge.OpenCursor[int64](s.cursors, in.Paged, l)
	if err != nil {
		return nil, err
	}
	filter := projections.ActivityFilter{
		ActorID: in.ActorID.Ptr(), EntityType: in.EntityType.Ptr(), EntityID: in.EntityID.Ptr(),
		Action: in.Action.Ptr(), From: in.From.Ptr(), To: in.To.Ptr(), AfterSeq: in.AfterSeq,
	}
	if after != nil {
		filter.AfterSeq = *after
	}
	items, more, err := s.queries.Activity(ctx, scope, filter, in.Limit, s.fresh(scope, in.Positioned))
	if err != nil {
		return nil, err
	}
	return listResponse(s, l, items, lastOf(items, more, func(a projections.Activity) int64 { return a.Seq }), renderActivity)
}

// lastOf returns the position of the last item if there are more.
func lastOf[R, P any](items []R, more bool, position func(R) P) *P {
	if !more || len(items) == 0 {
		return nil
	}
	p := position(items[len(items)-1])
	return &p
}
