package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/notify"

	"github.com/google/uuid"
)

// notificationBody is a notification of the caller.
type notificationBody struct {
	ID         domain.NotificationID `json:"id" format:"uuid"`
	Kind       notify.Kind           `json:"kind" enum:"task_assigned,project_status_changed,mention,task_commented"`
	Reason     notify.Reason         `json:"reason" enum:"assignee,project_owner,mentioned"`
	Seq        int64                 `json:"seq"`
	EntityType domain.StreamType     `json:"entity_type" enum:"tenant,member,project,task,comment,api_key,subscription"`
	EntityID   uuid.UUID             `json:"entity_id" format:"uuid"`
	ProjectID  *domain.ProjectID     `json:"project_id" format:"uuid" nullable:"true"`
	Title      string                `json:"title"`
	Body       string                `json:"body"`
	ReadAt     *time.Time            `json:"read_at"`
	CreatedAt  time.Time             `json:"created_at"`
}

func renderNotification(n notify.Notification) notificationBody {
	return notificationBody{
		ID: n.ID, Kind: n.Kind, Reason: n.Reason, Seq: n.Seq, EntityType: n.EntityType, EntityID: n.EntityID,
		ProjectID: n.ProjectID, Title: n.Title, Body: n.Body, ReadAt: n.ReadAt, CreatedAt: n.CreatedAt,
	}
}

func registerNotifications(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/notifications", ID: "list-notifications", Tag: "notifications", Action: domain.NotificationRead,
		Summary: "The caller's notifications, newest first", Errors: []domain.Code{domain.CodeCursorInvalid},
	}, s.listNotifications)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/notifications/{id}/read", ID: "read-notification", Tag: "notifications", Action: domain.NotificationMark,
		Status: http.StatusNoContent, Summary: "Mark a notification as read", Description: "A notification that is read already stays as it is.",
	}, func(ctx context.Context, scope domain.Scope, in *struct {
		ID domain.NotificationID `path:"id" format:"uuid"`
	}) (*struct{}, error) {
		return nil, s.inbox.MarkRead(ctx, scope, in.ID)
	})
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/notifications/read-all", ID: "read-all-notifications", Tag: "notifications", Action: domain.NotificationMark,
		Status: http.StatusNoContent, Summary: "Mark all of the caller's notifications as read",
	}, func(ctx context.Context, scope domain.Scope, _ *struct{}) (*struct{}, error) {
		return nil, s.inbox.MarkAllRead(ctx, scope)
	})
}

func (s *Server) listNotifications(ctx context.Context, scope domain.Scope, in *struct {
	edge.Paged
	edge.Positioned
	Unread bool `query:"unread" doc:"Only notifications that are unread."`
}) (*plain[edge.List[notificationBody]], error) {
	l := edge.Listing{Tenant: scope.Tenant(), Route: "list-notifications/" + scope.Actor().ID.String(), Filters: in.Unread}
	after, err := edge.OpenCursor[notify.Position](s.cursors, in.Paged, l)
	if err != nil {
		return nil, err
	}
	fresh := s.fresh(scope, in.Positioned)
	if err := s.queries.AtLeast(ctx, scope, fresh.Min, notify.SubscriptionName); err != nil {
		return nil, err
	}
	items, next, err := s.inbox.List(ctx, scope, notify.Filter{Unread: in.Unread}, after, in.Limit, fresh.Seq)
	if err != nil {
		return nil, err
	}
	return listResponse(s, l, items, next, renderNotification)
}
