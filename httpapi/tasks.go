package httpapi

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"docket/domain"
	"docket/httpapi/edge"
	"docket/projections"
)

// taskBody is a task.
type taskBody struct {
	ID          domain.TaskID     `json:"id" format:"uuid"`
	ProjectID   domain.ProjectID  `json:"project_id" format:"uuid"`
	Title       string            `json:"title"`
	Description *string           `json:"description"`
	Status      domain.TaskStatus `json:"status" enum:"todo,in_progress,done"`
	Priority    domain.Priority   `json:"priority" enum:"low,normal,high,urgent"`
	AssigneeID  *domain.UserID    `json:"assignee_id" format:"uuid" nullable:"true"`
	Labels      []string          `json:"labels"`
	DueDate     *domain.Date      `json:"due_date" format:"date"`
	CreatedBy   domain.UserID     `json:"created_by" format:"uuid"`
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
	Version     int               `json:"version"`
}

func renderTask(t domain.Task) taskBody {
	return taskBody{
		ID: t.ID, ProjectID: t.ProjectID, Title: t.Title, Description: t.Description, Status: t.Status,
		Priority: t.Priority, AssigneeID: t.AssigneeID, Labels: t.Labels, DueDate: t.DueDate,
		CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, Version: t.Version,
	}
}

type newTaskBody struct {
	Title       string          `json:"title" minLength:"1" maxLength:"200"`
	Description *string         `json:"description,omitzero" maxLength:"4000" nullable:"true"`
	Priority    domain.Priority `json:"priority,omitzero" enum:"low,normal,high,urgent" default:"normal"`
	AssigneeID  *domain.UserID  `json:"assignee_id,omitzero" format:"uuid" nullable:"true" doc:"Of a member who isn't viewer or auditor."`
	Labels      []string        `json:"labels,omitzero" maxItems:"20" uniqueItems:"true" maxLength:"50"`
	DueDate     *domain.Date    `json:"due_date,omitzero" format:"date" nullable:"true"`
}

func (b newTaskBody) command() domain.CreateTask {
	return domain.CreateTask{
		Title: b.Title, Description: b.Description, Priority: b.Priority, AssigneeID: b.AssigneeID, Labels: b.Labels, DueDate: b.DueDate,
	}
}

type editTaskBody struct {
	Title       edge.Patch[string]            `json:"title,omitzero" minLength:"1" maxLength:"200"`
	Description edge.Patch[string]            `json:"description,omitzero" maxLength:"4000" nullable:"true"`
	Status      edge.Patch[domain.TaskStatus] `json:"status,omitzero" enum:"todo,in_progress,done"`
	Priority    edge.Patch[domain.Priority]   `json:"priority,omitzero" enum:"low,normal,high,urgent"`
	AssigneeID  edge.Patch[domain.UserID]     `json:"assignee_id,omitzero" format:"uuid" nullable:"true"`
	Labels      edge.Patch[[]string]          `json:"labels,omitzero" maxItems:"20" uniqueItems:"true" maxLength:"50" nullable:"true"`
	DueDate     edge.Patch[domain.Date]       `json:"due_date,omitzero" format:"date" nullable:"true"`
}

func (b editTaskBody) command() domain.EditTask {
	return domain.EditTask{
		Title: b.Title.Edit(), Description: b.Description.Nullable(), Status: b.Status.Edit(), Priority: b.Priority.Edit(),
		AssigneeID: b.AssigneeID.Nullable(), Labels: b.Labels.Edit(), DueDate: b.DueDate.Nullable(),
	}
}

type TaskFilter struct {
	Query      edge.Filter[string]            `query:"q" minLength:"1" maxLength:"200" doc:"A search in titles, descriptions, labels and comments."`
	Status     edge.Values[domain.TaskStatus] `query:"status" enum:"todo,in_progress,done"`
	NotStatus  edge.Values[domain.TaskStatus] `query:"not_status" enum:"todo,in_progress,done" doc:"None of these."`
	AssigneeID edge.Values[userOrNone]        `query:"assignee_id" maxItems:"100" doc:"Users' ids; me is the caller's; none is for tasks without an assignee."`
	CreatedBy  edge.Values[userOrMe]          `query:"created_by" maxItems:"100" doc:"Users' ids; me is the caller's."`
	Priority   edge.Values[domain.Priority]   `query:"priority" enum:"low,normal,high,urgent"`
	Label      edge.Values[string]            `query:"label" maxItems:"20" maxLength:"50" doc:"In a label, a comma has a backslash before it."`
	DatedFilter
}

// query is the filter for queries and cursors.
func (f TaskFilter) query(caller domain.UserID) projections.TaskFilter {
	assignees, unassigned := usersOrNone(f.AssigneeID.List(), caller)
	labels := f.Label.List()
	slices.Sort(labels)
	return projections.TaskFilter{
		Query: f.Query.Ptr(), Statuses: without(f.Status.List(), f.NotStatus.List(), domain.TaskStatuses()),
		AssigneeIDs: sortedIDs(assignees), Unassigned: unassigned, CreatedBy: sortedIDs(usersOf(f.CreatedBy.List(), caller)),
		Priorities: sortedIn(domain.Priorities(), f.Priority.List()), Labels: labels, Due: f.due(), UpdatedSince: f.UpdatedSince.Ptr(),
	}
}

// TaskListInput is the input of both lists of tasks.
type TaskListInput struct {
	edge.Paged
	AsOfInput
	TaskFilter
	Sort edge.Filter[string] `query:"sort" enum:"created_at,-created_at,updated_at,-updated_at,due_date,-due_date,priority,-priority,title,-title" doc:"Without it (and without q) it is created_at. priority: the least urgent first, and those of one priority by created_at."`
}

type TaskInput struct {
	ID      domain.TaskID `path:"id" format:"uuid"`
	IfMatch edge.IfMatch  `header:"If-Match"`
}

func registerTasks(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/tasks", ID: "list-tasks", Tag: "tasks", Action: domain.TaskRead,
		Summary: "The tasks of all projects", Description: "With assignee_id=me the caller's own. " + listDoc,
		Errors: []domain.Code{domain.CodeCursorInvalid, domain.CodeUnsupportedCombination},
	}, s.listTasks)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/projects/{id}/tasks", ID: "list-project-tasks", Tag: "tasks", Action: domain.TaskRead,
		Summary: "A project's tasks", Description: listDoc,
		Errors: []domain.Code{domain.CodeCursorInvalid, domain.CodeUnsupportedCombination},
	}, s.listProjectTasks)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/projects/{id}/tasks", ID: "create-task", Tag: "tasks", Action: domain.TaskCreate,
		Status: http.StatusCreated, Summary: "Create a task", Description: "It begins as todo. The assignee must be a member of the tenant.", Errors: commandErrors(domain.CodeProjectClosed),
	}, s.createTask)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodGet, Path: "/v1/tasks/{id}", ID: "get-task", Tag: "tasks", Action: domain.TaskRead,
		Summary: "One task",
	}, s.getTask)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPatch, Path: "/v1/tasks/{id}", ID: "edit-task", Tag: "tasks", Action: domain.TaskEdit,
		Summary: "Change a task", Description: "Status, assignee and all other fields change here.", Errors: commandErrors(domain.CodeProjectClosed),
	}, s.editTask)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodDelete, Path: "/v1/tasks/{id}", ID: "delete-task", Tag: "tasks", Action: domain.TaskDelete,
		Summary: "Delete a task", Description: "Members may delete tasks that they created, managers any. The history remains.",
		Errors: commandErrors(domain.CodeNotYours, domain.CodeProjectClosed),
	}, s.deleteTask)
}

func (s *Server) listTasks(ctx context.Context, scope domain.Scope, in *struct {
	TaskListInput
	ProjectID edge.Values[domain.ProjectID] `query:"project_id" format:"uuid" maxItems:"100"`
}) (*asOfList[taskBody], error) {
	filter := in.TaskFilter.query(scope.Actor().ID)
	filter.ProjectIDs = sortedIDs(in.ProjectID.List())
	return s.tasksResponse(ctx, scope, in.TaskListInput, "list-tasks", filter)
}

func (s *Server) listProjectTasks(ctx context.Context, scope domain.Scope, in *struct {
	TaskListInput
	ID domain.ProjectID `path:"id" format:"uuid"`
}) (*asOfList[taskBody], error) {
	filter := in.TaskFilter.query(scope.Actor().ID)
	filter.ProjectID = &in.ID
	return s.tasksResponse(ctx, scope, in.TaskListInput, "list-project-tasks", filter)
}

func (s *Server) tasksResponse(ctx context.Context, scope domain.Scope, in TaskListInput, route string, filter projections.TaskFilter) (*asOfList[taskBody], error) {
	if err := errors.Join(checkSearch(in.Query, in.AsOfInput), refuseSortedSearch(in.Query, in.Sort)); err != nil {
		return nil, err
	}
	order := orderOf(in.Sort)
	l := edge.Listing{Tenant: scope.Tenant(), Route: route, Filters: filter, Sort: sortText(order), AsOf: in.AsOf}
	page, at, err := s.asOfPage(ctx, scope, in.Paged, in.AsOfInput, l)
	if err != nil {
		return nil, err
	}
	var (
		items []domain.Task
		next  *projections.Keyset
	)
	if at != nil {
		items, next, err = s.queries.TasksAsOf(ctx, scope, filter, order, page, *at)
	} else {
		items, next, err = s.queries.Tasks(ctx, scope, filter, order, page, s.fresh(scope, in.Positioned))
	}
	if err != nil {
		return nil, err
	}
	return asOfListResponse(s, l, at, items, next, renderTask)
}

func (s *Server) createTask(ctx context.Context, scope domain.Scope, in *struct {
	ID   domain.ProjectID `path:"id" format:"uuid"`
	Body newTaskBody
}) (*created[taskBody], error) {
	result, err := s.commands.CreateTask(ctx, scope, edge.Origin(ctx), in.ID, in.Body.command())
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &created[taskBody]{
		Location: "/v1/tasks/" + result.State.ID.String(), ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderTask(result.State),
	}, nil
}

func (s *Server) getTask(ctx context.Context, scope domain.Scope, in *struct {
	AsOfInput
	ID domain.TaskID `path:"id" format:"uuid"`
}) (*asOfItem[taskBody], error) {
	at, err := s.asOf(ctx, scope, in.AsOfInput)
	if err != nil {
		return nil, err
	}
	var t domain.Task
	if at != nil {
		t, err = s.queries.TaskAsOf(ctx, scope, in.ID, *at)
	} else {
		t, err = s.queries.Task(ctx, scope, in.ID, s.fresh(scope, in.Positioned))
	}
	if err != nil {
		return nil, err
	}
	return &asOfItem[taskBody]{ETag: edge.ETag(t.Version), AsOf: asOfHeader(at), Body: renderTask(t)}, nil
}

func (s *Server) editTask(ctx context.Context, scope domain.Scope, in *struct {
	TaskInput
	Body editTaskBody
}) (*updated[taskBody], error) {
	cmd := in.Body.command()
	cmd.IfMatch = in.IfMatch.IfMatch
	result, err := s.commands.EditTask(ctx, scope, edge.Origin(ctx), in.ID, cmd)
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &updated[taskBody]{ETag: edge.ETag(result.State.Version), Seq: result.Seq, Body: renderTask(result.State)}, nil
}

func (s *Server) deleteTask(ctx context.Context, scope domain.Scope, in *TaskInput) (*deleted, error) {
	result, err := s.commands.DeleteTask(ctx, scope, edge.Origin(ctx), in.ID, domain.DeleteTask{IfMatch: in.IfMatch.IfMatch})
	if err != nil {
		return nil, err
	}
	s.acknowledge(scope, result.Seq)
	return &deleted{Seq: result.Seq}, nil
}
