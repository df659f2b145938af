package httpapi

import (
	"context"
	"net/http"

	"docket/domain"
	"docket/httpapi/edge"
)

type projectTransitionBody struct {
	To      domain.Status `json:"to" enum:"draft,submitted,rejected,approved,active,on_hold,completed,cancelled,archived"`
	Comment *string       `json:"comment,omitzero" maxLength:"4000" nullable:"true"`
}

// availableTransitionBody is a transition out of a project's present status.
type availableTransitionBody struct {
	To      domain.Status `json:"to" enum:"draft,submitted,rejected,approved,active,on_hold,completed,cancelled,archived"`
	MinRole domain.Role   `json:"min_role" enum:"owner,manager,member,viewer,auditor"`
	Allowed bool          `json:"allowed" doc:"Whether the caller may make it."`
}

func registerTransitions(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/projects/{id}/transitions", ID: "move-project", Tag: "projects", Action: domain.ProjectTransition,
		Summary: "Move a project to another status", Description: "Members may move their own projects, as far as the workflow allows. In a tenant with four_eyes a member who submitted a project, or edited it since, can't approve it.",
		Errors: commandErrors(domain.CodeNotYours, domain.CodeInvalidTransition),
	}, s.moveProject)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/projects/{id}/transitions", ID: "list-transitions", Tag: "projects", Action: domain.ProjectRead,
		Summary: "The transitions from a project's status", Description: "A few items at most, without pages: next_cursor is null.",
	}, s.listTransitions)
}

func (s *Server) moveProject(ctx context.Context, scope domain.Scope, in *struct {
	ProjectInput
	Body projectTransitionBody
}) (*updated[projectBody], error) {
	result, err := s.commands.MoveProject(ctx, scope, edge.Origin(ctx), in.ID, domain.MoveProject{
		IfMatch: in.IfMatch.IfMatch, To: in.Body.To, Comment: in.Body.Comment,
	})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &updated[projectBody]{ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderProject(result.State)}, nil
}

func (s *Server) listTransitions(ctx context.Context, scope domain.Scope, in *struct {
	edge.Positioned
	ID domain.ProjectID `path:"id" format:"uuid"`
}) (*plain[edge.List[availableTransitionBody]], error) {
	p, err := s.queries.Project(ctx, scope, in.ID, s.fresh(scope, in.Positioned))
	if err != nil {
		return nil, err
	}
	settings, err := s.queries.Tenant(ctx, scope, s.fresh(scope, in.Positioned))
	if err != nil {
		return nil, err
	}
	out := &plain[edge.List[availableTransitionBody]]{Body: edge.List[availableTransitionBody]{Items: []availableTransitionBody{}}}
	for _, t := range domain.TransitionsFrom(p.Status) {
		out.Body.Items = append(out.Body.Items, availableTransitionBody{To: t.To, MinRole: t.Least, Allowed: p.MayMove(scope.Actor(), t, settings.FourEyes)})
	}
	return out, nil
}
