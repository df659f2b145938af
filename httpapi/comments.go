package httpapi

import (
	"context"
	"net/http"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
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
	Body string `json:"body" minLength:"1" maxLength:"4000" doc:"@ and the e-mail address of a member mentions them: see create-comment."`
}

// mentionRules is for the description of the operation that creates a comment; others lead to it.
const mentionRules = "`@` and the e-mail address of a member notifies them: `@ann@example.org`. White space, punctuation and symbols of any script " +
	"may stand before and after it (`**@ann@example.org**`, `(@ann@example.org's)`), and letters of scripts that are written without spaces between words. " +
	"Lines that begin with `>`, Markdown code (spans, fenced and indented blocks) and URLs mention nothing, and neither does an address without its own `@`. " +
	"Of more than 20 addresses the first 20 count. Addresses are found when the comment is written: a later member isn't mentioned by it."

type editCommentBody struct {
	Body edge.Patch[string] `json:"body,omitzero" minLength:"1" maxLength:"4000" doc:"Notifies members who weren't mentioned before."`
}

type CommentInput struct {
	ID      domain.CommentID `path:"id" format:"uuid"`
	IfMatch edge.IfMatch     `header:"If-Match"`
}

func registerComments(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/tasks/{id}/comments", ID: "list-comments", Tag: "comments", Action: domain.CommentRead,
		Summary: "The comments of a task", Errors: []domain.Code{domain.CodeCursorInvalid},
	}, s.listComments)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/tasks/{id}/comments", ID: "create-comment", Tag: "comments", Action: domain.CommentCreate,
		Status: http.StatusCreated, Summary: "Comment on a task", Description: mentionRules, Errors: commandErrors(domain.CodeProjectClosed),
	}, s.createComment)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/comments/{id}", ID: "get-comment", Tag: "comments", Action: domain.CommentRead,
		Summary: "One comment",
	}, s.getComment)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPatch, Path: "/v1/comments/{id}", ID: "edit-comment", Tag: "comments", Action: domain.CommentEdit,
		Summary: "Change a comment", Description: "Only its author may. It notifies members whom the comment didn't mention before, as create-comment says.",
		Errors: commandErrors(domain.CodeNotYours, domain.CodeProjectClosed),
	}, s.editComment)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodDelete, Path: "/v1/comments/{id}", ID: "delete-comment", Tag: "comments", Action: domain.CommentDelete,
		Summary: "Delete a comment", Description: "Members may delete their own comments, managers any. The history remains.",
		Errors: commandErrors(domain.CodeNotYours, domain.CodeProjectClosed),
	}, s.deleteComment)
}

func (s *Server) listComments(ctx context.Context, scope domain.Scope, in *struct {
	edge.Paged
	AsOfInput
	ID domain.TaskID `path:"id" format:"uuid"`
}) (*asOfList[commentBody], error) {
	l := edge.Listing{Tenant: scope.Tenant(), Route: "list-comments/" + in.ID.String(), AsOf: in.AsOf}
	page, at, err := s.asOfPage(ctx, scope, in.Paged, in.AsOfInput, l)
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
	return asOfListResponse(s, l, at, items, next, renderComment)
}

func (s *Server) createComment(ctx context.Context, scope domain.Scope, in *struct {
	ID   domain.TaskID `path:"id" format:"uuid"`
	Body newCommentBody
}) (*created[commentBody], error) {
	result, err := s.commands.CreateComment(ctx, scope, edge.Origin(ctx), in.ID, domain.CreateComment{Body: in.Body.Body})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &created[commentBody]{
		Location: "/v1/comments/" + result.State.ID.String(), ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderComment(result.State),
	}, nil
}

func (s *Server) getComment(ctx context.Context, scope domain.Scope, in *struct {
	AsOfInput
	ID domain.CommentID `path:"id" format:"uuid"`
}) (*asOfItem[commentBody], error) {
	at, err := s.asOf(ctx, scope, in.AsOfInput)
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
	return &asOfItem[commentBody]{ETag: edge.ETag(c.Version), AsOf: asOfHeader(at), Body: renderComment(c)}, nil
}

func (s *Server) editComment(ctx context.Context, scope domain.Scope, in *struct {
	CommentInput
	Body editCommentBody
}) (*updated[commentBody], error) {
	result, err := s.commands.EditComment(ctx, scope, edge.Origin(ctx), in.ID, domain.EditComment{
		IfMatch: in.IfMatch.IfMatch, Body: in.Body.Body.Edit(),
	})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &updated[commentBody]{ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderComment(result.State)}, nil
}

func (s *Server) deleteComment(ctx context.Context, scope domain.Scope, in *CommentInput) (*deleted, error) {
	result, err := s.commands.DeleteComment(ctx, scope, edge.Origin(ctx), in.ID, domain.DeleteComment{IfMatch: in.IfMatch.IfMatch})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &deleted{Seq: result.Seq}, nil
}
