package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/domain"
	"docket/projections"
)

// commentBody is a comment on a task.
type commentBody struct {
	ID        domain.CommentID `json:"id" format:"uuid"`
	TaskID    domain.TaskID    `json:"task_id" format:"uuid"`
	ProjectID domain.ProjectID `json:"project_id" format:"uuid"`
	Body      string           `json:"body"`
	AuthorID  domain.UserID    `json:"author_id" format:"uuid"`
	CreatedAt time.Time        `json:"created_at"`
	UpdatedAt time.Time        `json:"updated_at"`
	Version   int              `json:"version"`
}

func renderComment(c domain.Comment) commentBody {
	return commentBody{
		ID: c.ID, TaskID: c.TaskID, ProjectID: c.ProjectID, Body: c.Body, AuthorID: c.AuthorID,
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Version: c.Version,
	}
}

type newCommentBody struct {
	Body string `json:"body" minLength:"1" maxLength:"4000" doc:"@ and the e-mail address of a member mentions them."`
}

type editCommentBody struct {
	Body Patch[string] `json:"body,omitzero" minLength:"1" maxLength:"4000" doc:"Those who weren't mentioned before are told."`
}

type CommentInput struct {
	ID      domain.CommentID `path:"id" format:"uuid"`
	IfMatch ifMatch          `header:"If-Match"`
}

func registerComments(s *Server) {
	registerScoped(s, operation{
		Method: http.MethodGet, Path: "/v1/tasks/{id}/comments", ID: "list-comments", Tag: "comments", Action: domain.CommentRead,
		Summary: "What was said about a task", Errors: []domain.Code{domain.CodeCursorInvalid},
	}, s.listComments)
	registerScoped(s, operation{
		Method: http.MethodPost, Path: "/v1/tasks/{id}/comments", ID: "create-comment", Tag: "comments", Action: domain.CommentCreate,
		Status: http.StatusCreated, Summary: "Say something about a task", Errors: commandErrors(domain.CodeProjectClosed),
	}, s.createComment)
	registerScoped(s, operation{
		Method: http.MethodGet, Path: "/v1/comments/{id}", ID: "get-comment", Tag: "comments", Action: domain.CommentRead,
		Summary: "One comment",
	}, s.getComment)
	registerScoped(s, operation{
		Method: http.MethodPatch, Path: "/v1/comments/{id}", ID: "edit-comment", Tag: "comments", Action: domain.CommentEdit,
		Summary: "Change a comment", Description: "Only its author may.",
		Errors: commandErrors(domain.CodeNotYours, domain.CodeProjectClosed),
	}, s.editComment)
	registerScoped(s, operation{
		Method: http.MethodDelete, Path: "/v1/comments/{id}", ID: "delete-comment", Tag: "comments", Action: domain.CommentDelete,
		Summary: "Delete a comment", Description: "Members may delete what they said themselves, managers any. The history stays.",
		Errors: commandErrors(domain.CodeNotYours, domain.CodeProjectClosed),
	}, s.deleteComment)
}

func (s *Server) listComments(ctx context.Context, scope domain.Scope, in *struct {
	Paged
	Dated
	ID domain.TaskID `path:"id" format:"uuid"`
}) (*datedList[commentBody], error) {
	l := listing{Tenant: scope.Tenant(), Route: "list-comments/" + in.ID.String(), AsOf: in.AsOf}
	page, at, err := s.datedPage(ctx, scope, in.Paged, in.Dated, l)
	if err != nil {
		return nil, err
	}
	var (
		items []domain.Comment
		next  *projections.Keyset
	)
	if at != nil {
		items, next, err = s.queries.CommentsAsOf(ctx, scope, in.ID, page, *at)
	} else {
		items, next, err = s.queries.Comments(ctx, scope, in.ID, page, s.fresh(scope, in.Positioned))
	}
	if err != nil {
		return nil, err
	}
	return answerDated(s, l, at, items, next, renderComment)
}

func (s *Server) createComment(ctx context.Context, scope domain.Scope, in *struct {
	ID   domain.TaskID `path:"id" format:"uuid"`
	Body newCommentBody
}) (*made[commentBody], error) {
	done, err := s.commands.CreateComment(ctx, scope, origin(ctx), in.ID, domain.CreateComment{Body: in.Body.Body})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, done.Seq)
	return &made[commentBody]{
		Location: "/v1/comments/" + done.State.ID.String(), ETag: etag(done.State.Version), Seq: done.Seq, Body: renderComment(done.State),
	}, nil
}

func (s *Server) getComment(ctx context.Context, scope domain.Scope, in *struct {
	Dated
	ID domain.CommentID `path:"id" format:"uuid"`
}) (*dated[commentBody], error) {
	at, err := s.asOf(ctx, scope, in.Dated)
	if err != nil {
		return nil, err
	}
	var c domain.Comment
	if at != nil {
		c, err = s.queries.CommentAsOf(ctx, scope, in.ID, *at)
	} else {
		c, err = s.queries.Comment(ctx, scope, in.ID, s.fresh(scope, in.Positioned))
	}
	if err != nil {
		return nil, err
	}
	return &dated[commentBody]{ETag: etag(c.Version), AsOf: asOfHeader(at), Body: renderComment(c)}, nil
}

func (s *Server) editComment(ctx context.Context, scope domain.Scope, in *struct {
	CommentInput
	Body editCommentBody
}) (*changed[commentBody], error) {
	done, err := s.commands.EditComment(ctx, scope, origin(ctx), in.ID, domain.EditComment{
		IfMatch: in.IfMatch.IfMatch, Body: in.Body.Body.Edit(),
	})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, done.Seq)
	return &changed[commentBody]{ETag: etag(done.State.Version), Seq: done.Seq, Body: renderComment(done.State)}, nil
}

func (s *Server) deleteComment(ctx context.Context, scope domain.Scope, in *CommentInput) (*gone, error) {
	done, err := s.commands.DeleteComment(ctx, scope, origin(ctx), in.ID, domain.DeleteComment{IfMatch: in.IfMatch.IfMatch})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, done.Seq)
	return &gone{Seq: done.Seq}, nil
}
