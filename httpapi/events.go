package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

const ndjsonMediaType = "application/x-ndjson"

// LogEventBody is an event as stored in the log.
type LogEventBody struct {
	Seq           int64             `json:"seq"`
	At            time.Time         `json:"at"`
	StreamType    domain.StreamType `json:"stream_type" enum:"tenant,member,project,task,comment,api_key,subscription"`
	StreamID      uuid.UUID         `json:"stream_id" format:"uuid"`
	Version       int               `json:"version"`
	Type          string            `json:"type"`
	SchemaVersion int               `json:"schema_version"`
	ActorID       *domain.UserID    `json:"actor_id" format:"uuid" nullable:"true" doc:"null where the system acted."`
	CommandID     domain.CommandID  `json:"command_id" format:"uuid"`
	Data          json.RawMessage   `json:"data"`
	Meta          json.RawMessage   `json:"meta"`
}

func renderEvent(e projections.Event) LogEventBody {
	return LogEventBody{
		Seq: e.Seq, At: e.At, StreamType: e.Stream.Type, StreamID: e.Stream.ID, Version: e.Version, Type: e.Type,
		SchemaVersion: e.SchemaVersion, ActorID: e.ActorID, CommandID: e.CommandID, Data: e.Data, Meta: e.Meta,
	}
}

// historyItemBody is an event with its summary and changes.
type historyItemBody struct {
	LogEventBody
	ActorName string            `json:"actor_name"`
	Summary   string            `json:"summary"`
	Changes   []fieldChangeBody `json:"changes"`
}

func renderHistory(h projections.HistoryItem) historyItemBody {
	return historyItemBody{LogEventBody: renderEvent(h.Event), ActorName: h.ActorName, Summary: h.Summary, Changes: renderChanges(h.Changes)}
}

func registerEvents(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/admin/events", ID: "list-events", Tag: "admin", Action: domain.EventRead,
		Summary: "The raw log", Description: "Oldest first, or newest first with order=desc. With Accept: " + ndjsonMediaType + " one event a line, and after_seq to go on until an answer has no line.",
		Errors: []domain.Code{domain.CodeCursorInvalid, domain.CodeUnsupportedCombination},
		Content: map[string]*huma.MediaType{
			edge.JSONMediaType: {Schema: edge.SchemaOf[edge.List[LogEventBody]](s.router)},
			ndjsonMediaType:    {Schema: edge.SchemaOf[LogEventBody](s.router)},
		},
	}, s.listEvents)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/projects/{id}/history", ID: "list-project-history", Tag: "projects", Action: domain.ProjectRead,
		Summary: "A project's events", Description: "Oldest first, or newest first with order=desc; also of a project that was deleted.",
		Errors: []domain.Code{domain.CodeCursorInvalid},
	}, func(ctx context.Context, scope domain.Scope, in *struct {
		edge.Paged
		Ordered
		ID domain.ProjectID `path:"id" format:"uuid"`
	}) (*plain[edge.List[historyItemBody]], error) {
		return s.history(ctx, scope, domain.Stream(domain.ProjectStream, in.ID), in.Paged, in.Ordered)
	})
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/tasks/{id}/history", ID: "list-task-history", Tag: "tasks", Action: domain.TaskRead,
		Summary: "A task's events", Description: "Oldest first, or newest first with order=desc; also of a task that was deleted. The deletion of its project is the last of them.",
		Errors: []domain.Code{domain.CodeCursorInvalid},
	}, func(ctx context.Context, scope domain.Scope, in *struct {
		edge.Paged
		Ordered
		ID domain.TaskID `path:"id" format:"uuid"`
	}) (*plain[edge.List[historyItemBody]], error) {
		return s.history(ctx, scope, domain.Stream(domain.TaskStream, in.ID), in.Paged, in.Ordered)
	})
}

func (s *Server) listEvents(ctx context.Context, scope domain.Scope, in *struct {
	edge.Paged
	edge.Accept
	Ordered
	AfterSeq int64 `query:"after_seq" minimum:"0" doc:"Only what comes after this seq. Above the log's head: refused."`
}) (*edge.Raw, error) {
	span := in.span(in.AfterSeq)
	l := edge.Listing{Tenant: scope.Tenant(), Route: "list-events", Filters: span}
	last, err := edge.OpenCursor[int64](s.cursors, in.Paged, l)
	if err != nil {
		return nil, err
	}
	if last != nil {
		span = span.Next(*last)
	}
	events, more, err := s.queries.Events(ctx, scope, span, in.Limit)
	if err != nil {
		return nil, err
	}
	if in.Prefers(ndjsonMediaType, edge.JSONMediaType) {
		return eventLines(events), nil
	}
	page, err := listResponse(s, l, events, lastOf(events, more, func(e projections.Event) int64 { return e.Seq }), renderEvent)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	edge.WriteJSON(&body, page.Body)
	return &edge.Raw{ContentType: edge.JSONMediaType, Vary: []string{"Accept"}, Body: body.Bytes()}, nil
}

func eventLines(events []projections.Event) *edge.Raw {
	var lines bytes.Buffer
	for _, e := range events {
		edge.WriteJSON(&lines, renderEvent(e))
		lines.WriteByte('\n')
	}
	return &edge.Raw{ContentType: ndjsonMediaType, Vary: []string{"Accept"}, Body: lines.Bytes()}
}

// historyPosition is where a page of a history ended. It is no bare number: cursors of
// earlier versions are versions of the stream.
type historyPosition struct {
	Seq int64 `json:"seq"`
}

// history lists the events of one stream with their summaries.
func (s *Server) history(ctx context.Context, scope domain.Scope, stream domain.StreamID, p edge.Paged, o Ordered) (*plain[edge.List[historyItemBody]], error) {
	span := o.span(0)
	l := edge.Listing{Tenant: scope.Tenant(), Route: "history/" + stream.String(), Filters: span}
	last, err := edge.OpenCursor[historyPosition](s.cursors, p, l)
	if err != nil {
		return nil, err
	}
	if last != nil {
		span = span.Next(last.Seq)
	}
	items, more, err := s.queries.History(ctx, scope, stream, span, p.Limit)
	if err != nil {
		return nil, err
	}
	return listResponse(s, l, items, lastOf(items, more, func(h projections.HistoryItem) historyPosition { return historyPosition{h.Seq} }), renderHistory)
}
