package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// projectBody is a project.
type projectBody struct {
	ID          domain.ProjectID  `json:"id" format:"uuid"`
	Name        string            `json:"name"`
	Description *string           `json:"description"`
	Status      domain.Status     `json:"status" enum:"draft,submitted,rejected,approved,active,on_hold,completed,cancelled,archived"`
	Visibility  domain.Visibility `json:"visibility" enum:"private,public"`
	DueDate     *domain.Date      `json:"due_date" format:"date"`
	OwnerID     domain.UserID     `json:"owner_id" format:"uuid"`
	CreatedBy   domain.UserID     `json:"created_by" format:"uuid"`
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
	Version     int               `json:"version"`
}

func renderProject(p domain.Project) projectBody {
	return projectBody{
		ID: p.ID, Name: p.Name, Description: p.Description, Status: p.Status, Visibility: p.Visibility,
		DueDate: p.DueDate, OwnerID: p.OwnerID, CreatedBy: p.CreatedBy,
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Version: p.Version,
	}
}

type newProjectBody struct {
	Name        string            `json:"name" minLength:"1" maxLength:"200"`
	Description *string           `json:"description,omitzero" maxLength:"4000" nullable:"true"`
	Visibility  domain.Visibility `json:"visibility,omitzero" enum:"private,public" default:"private"`
	DueDate     *domain.Date      `json:"due_date,omitzero" format:"date" nullable:"true"`
}

type editProjectBody struct {
	Name        edge.Patch[string]            `json:"name,omitzero" minLength:"1" maxLength:"200"`
	Description edge.Patch[string]            `json:"description,omitzero" maxLength:"4000" nullable:"true"`
	Visibility  edge.Patch[domain.Visibility] `json:"visibility,omitzero" enum:"private,public"`
	DueDate     edge.Patch[domain.Date]       `json:"due_date,omitzero" format:"date" nullable:"true"`
	OwnerID     edge.Patch[domain.UserID]     `json:"owner_id,omitzero" format:"uuid" doc:"Of a member who isn't viewer or auditor."`
}

type ProjectFilter struct {
	Query      edge.Filter[string]            `query:"q" minLength:"1" maxLength:"200" doc:"A search in names and descriptions."`
	Status     edge.Values[domain.Status]     `query:"status" enum:"draft,submitted,rejected,approved,active,on_hold,completed,cancelled,archived"`
	NotStatus  edge.Values[domain.Status]     `query:"not_status" enum:"draft,submitted,rejected,approved,active,on_hold,completed,cancelled,archived" doc:"None of these."`
	OwnerID    edge.Values[userOrMe]          `query:"owner_id" maxItems:"100" doc:"Users' ids; me is the caller's."`
	CreatedBy  edge.Values[userOrMe]          `query:"created_by" maxItems:"100" doc:"Users' ids; me is the caller's."`
	Visibility edge.Values[domain.Visibility] `query:"visibility" enum:"private,public"`
	DatedFilter
}

// query is the filter for queries and cursors.
func (f ProjectFilter) query(caller domain.UserID) projections.ProjectFilter {
	var all []domain.Status
	for _, s := range domain.Statuses() {
		all = append(all, s.Name)
	}
	return projections.ProjectFilter{
		Query: f.Query.Ptr(), Statuses: without(f.Status.List(), f.NotStatus.List(), all),
		OwnerIDs: sortedIDs(usersOf(f.OwnerID.List(), caller)), CreatedBy: sortedIDs(usersOf(f.CreatedBy.List(), caller)),
		Visibilities: sortedIn([]domain.Visibility{domain.Private, domain.Public}, f.Visibility.List()), Due: f.due(), UpdatedSince: f.UpdatedSince.Ptr(),
	}
}

type ProjectInput struct {
	ID      domain.ProjectID `path:"id" format:"uuid"`
	IfMatch edge.IfMatch     `header:"If-Match"`
}

func registerProjects(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/projects", ID: "list-projects", Tag: "projects", Action: domain.ProjectRead,
		Summary: "The tenant's projects", Description: listDoc,
		Errors: []domain.Code{domain.CodeCursorInvalid, domain.CodeUnsupportedCombination},
	}, s.listProjects)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/projects", ID: "create-project", Tag: "projects", Action: domain.ProjectCreate,
		Status: http.StatusCreated, Summary: "Create a project", Description: "It begins as a draft that the caller owns.", Errors: commandErrors(),
	}, s.createProject)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/projects/{id}", ID: "get-project", Tag: "projects", Action: domain.ProjectRead,
		Summary: "One project",
	}, s.getProject)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPatch, Path: "/v1/projects/{id}", ID: "edit-project", Tag: "projects", Action: domain.ProjectEdit,
		Summary: "Change a project", Description: "Members may change their own drafts and rejected projects, managers all that aren't closed. In a tenant with four_eyes an edit takes an approved project back to submitted, in the same commit; in others the event of the edit says after_approval.",
		Errors: commandErrors(domain.CodeNotYours, domain.CodeProjectClosed),
	}, s.editProject)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodDelete, Path: "/v1/projects/{id}", ID: "delete-project", Tag: "projects", Action: domain.ProjectDelete,
		Summary: "Delete a project and its tasks", Description: "The history remains.", Errors: commandErrors(),
	}, s.deleteProject)
}

func (s *Server) listProjects(ctx context.Context, scope domain.Scope, in *struct {
	edge.Paged
	AsOfInput
	ProjectFilter
	Sort edge.Filter[string] `query:"sort" enum:"created_at,-created_at,updated_at,-updated_at,due_date,-due_date,name,-name" doc:"Without it (and without q) it is created_at."`
}) (*asOfList[projectBody], error) {
	if err := errors.Join(refuseSortedSearch(in.Query, in.Sort), checkSearch(in.Query, in.AsOfInput)); err != nil {
		return nil, err
	}
	filter, order := in.ProjectFilter.query(scope.Actor().ID), orderOf(in.Sort)
	l := edge.Listing{Tenant: scope.Tenant(), Route: "list-projects", Filters: filter, Sort: sortText(order), AsOf: in.AsOf}
	page, at, err := s.asOfPage(ctx, scope, in.Paged, in.AsOfInput, l)
	if err != nil {
		return nil, err
	}
	var (
		items []domain.Project
		next  *projections.Keyset
	)
	if at != nil {
		items, next, err = s.queries.ProjectsAsOf(ctx, scope, filter, order, page, *at)
	} else {
		items, next, err = s.queries.Projects(ctx, scope, filter, order, page, s.fresh(scope, in.Positioned))
	}
	if err != nil {
		return nil, err
	}
	return asOfListResponse(s, l, at, items, next, renderProject)
}

func (s *Server) createProject(ctx context.Context, scope domain.Scope, in *struct{ Body newProjectBody }) (*created[projectBody], error) {
	result, err := s.commands.CreateProject(ctx, scope, edge.Origin(ctx), domain.CreateProject{
		Name: in.Body.Name, Description: in.Body.Description, Visibility: in.Body.Visibility, DueDate: in.Body.DueDate,
	})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &created[projectBody]{
		Location: "/v1/projects/" + result.State.ID.String(), ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderProject(result.State),
	}, nil
}

func (s *Server) getProject(ctx context.Context, scope domain.Scope, in *struct {
	AsOfInput
	ID domain.ProjectID `path:"id" format:"uuid"`
}) (*asOfItem[projectBody], error) {
	at, err := s.asOf(ctx, scope, in.AsOfInput)
	if err != nil {
		return nil, err
	}
	var p domain.Project
	if at != nil {
		p, err = s.queries.ProjectAsOf(ctx, scope, in.ID, *at)
	} else {
		p, err = s.queries.Project(ctx, scope, in.ID, s.fresh(scope, in.Positioned))
	}
	if err != nil {
		return nil, err
	}
	return &asOfItem[projectBody]{ETag: edge.ETag(p.Version), AsOf: asOfHeader(at), Body: renderProject(p)}, nil
}

func (s *Server) editProject(ctx context.Context, scope domain.Scope, in *struct {
	ProjectInput
	Body editProjectBody
}) (*updated[projectBody], error) {
	result, err := s.commands.EditProject(ctx, scope, edge.Origin(ctx), in.ID, domain.EditProject{
		IfMatch: in.IfMatch.IfMatch, Name: in.Body.Name.Edit(), Description: in.Body.Description.Nullable(),
		Visibility: in.Body.Visibility.Edit(), DueDate: in.Body.DueDate.Nullable(), OwnerID: in.Body.OwnerID.Edit(),
	})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &updated[projectBody]{ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderProject(result.State)}, nil
}

func (s *Server) deleteProject(ctx context.Context, scope domain.Scope, in *ProjectInput) (*deleted, error) {
	result, err := s.commands.DeleteProject(ctx, scope, edge.Origin(ctx), in.ID, domain.DeleteProject{IfMatch: in.IfMatch.IfMatch})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &deleted{Seq: result.Seq}, nil
}
