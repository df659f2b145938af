package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

// activityBody is a line of the activity log.
type activityBody struct {
	Seq        int64             `json:"seq"`
	At         time.Time         `json:"at"`
	ActorID    *domain.UserID    `json:"actor_id" format:"uuid" nullable:"true" doc:"null where the system acted."`
	ActorName  string            `json:"actor_name"`
	Action     string            `json:"action" doc:"The type of the event."`
	EntityType domain.StreamType `json:"entity_type" enum:"tenant,member,project,task,comment,api_key,subscription"`
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
	ActorID    edge.Filter[userOrMe]          `query:"actor_id" doc:"A user's id, or me."`
	EntityType edge.Filter[domain.StreamType] `query:"entity_type" enum:"tenant,member,project,task,comment,api_key,subscription"`
	EntityID   edge.Filter[uuid.UUID]         `query:"entity_id" format:"uuid" doc:"Of a task or comment also the deletion of what it belonged to, which was its end."`
	ProjectID  edge.Filter[domain.ProjectID]  `query:"project_id" format:"uuid" doc:"A project and all that belongs to it."`
	Action     edge.Filter[activityActions]   `query:"action" doc:"Types of events, separated by commas, such as task.created; an item has one of them."`
	Field      edge.Filter[changedField]      `query:"field" doc:"Only what has a change of this field."`
	From       edge.Filter[time.Time]         `query:"from" format:"date-time" doc:"The earliest time, itself included."`
	To         edge.Filter[time.Time]         `query:"to" format:"date-time" doc:"The first time left out."`
	AfterSeq   int64                          `query:"after_seq" minimum:"0" doc:"Only what comes after this seq. Above the log's head: refused."`
	Ordered
}

// Ordered is the input of lists that are ordered by seq.
type Ordered struct {
	Order edge.Filter[string] `query:"order" enum:"asc,desc" doc:"desc: newest first; else oldest first."`
}

func (o Ordered) descending() bool { return o.Order.Ptr() != nil && *o.Order.Ptr() == "desc" }

// span is the part of the log that a list begins with.
func (o Ordered) span(afterSeq int64) projections.Span {
	return projections.Span{AfterSeq: afterSeq, Descending: o.descending()}
}

// activityActions are types of events, separated by commas.
type activityActions struct{ list []string }

// UnmarshalText splits the parameter, whose values were checked.
func (a *activityActions) UnmarshalText(text []byte) error {
	a.list = strings.Split(string(text), ",")
	slices.Sort(a.list)
	a.list = slices.Compact(a.list)
	return nil
}

// Schema describes the parameter in OpenAPI.
func (activityActions) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: wordSchema(projections.Actions())}
}

// changedField is the name of a field in changes.
type changedField string

// Schema describes the parameter in OpenAPI.
func (changedField) Schema(huma.Registry) *huma.Schema {
	return wordSchema(projections.ChangedFields())
}

func wordSchema(words []string) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, word := range words {
		s.Enum = append(s.Enum, word)
	}
	return s
}

// filter is the beginning of the list for a caller.
func (f ActivityFilter) filter(caller domain.UserID) projections.ActivityFilter {
	out := projections.ActivityFilter{
		EntityType: f.EntityType.Ptr(), EntityID: f.EntityID.Ptr(), ProjectID: f.ProjectID.Ptr(),
		Field: (*string)(f.Field.Ptr()), From: f.From.Ptr(), To: f.To.Ptr(), Span: f.span(f.AfterSeq),
	}
	if actor := f.ActorID.Ptr(); actor != nil {
		if out.ActorID = &actor.id; actor.me {
			out.ActorID = &caller
		}
	}
	if actions := f.Action.Ptr(); actions != nil {
		out.Actions = actions.list
	}
	return out
}

func registerActivity(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/admin/activity", ID: "list-activity", Tag: "admin", Action: domain.ActivityRead,
		Summary: "The activity log",
		Description: "Oldest first, or newest first with order=desc. Different filters must all fit. The changes of a creation are the fields " +
			"that it set beyond the name or title to other values than the usual ones, such as a due date.",
		Errors: []domain.Code{domain.CodeCursorInvalid, domain.CodeUnsupportedCombination},
	}, s.listActivity)
}

func (s *Server) listActivity(ctx context.Context, scope domain.Scope, in *struct {
	edge.Paged
	edge.Positioned
	ActivityFilter
}) (*plain[edge.List[activityBody]], error) {
	filter := in.filter(scope.Actor().ID)
	l := edge.Listing{Tenant: scope.Tenant(), Route: "list-activity", Filters: filter}
	last, err := edge.OpenCursor[int64](s.cursors, in.Paged, l)
	if err != nil {
		return nil, err
	}
	if last != nil {
		filter.Span = filter.Next(*last)
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
