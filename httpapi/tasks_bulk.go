package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"docket/commands"
	"docket/domain"
	"docket/httpapi/edge"
)

// The exported names let a body be embedded in an item.
type (
	NewTaskFields  = newTaskBody
	EditTaskFields = editTaskBody
)

type newTaskItemBody struct {
	ProjectID domain.ProjectID `json:"project_id" format:"uuid"`
	NewTaskFields
}

type editTaskItemBody struct {
	ID      domain.TaskID   `json:"id" format:"uuid"`
	Version edge.Patch[int] `json:"version,omitzero" minimum:"1" doc:"The version this is meant for, as If-Match: with any other present version the item is refused with 412."`
	EditTaskFields
}

type newTasksBody struct {
	Items  []newTaskItemBody `json:"items" minItems:"1" maxItems:"100" nullable:"false"`
	Atomic bool              `json:"atomic,omitzero" doc:"All items or none, in one Commit." default:"false"`
}

type editTasksBody struct {
	Items  []editTaskItemBody `json:"items" minItems:"1" maxItems:"100" nullable:"false" doc:"No two with the same id."`
	Atomic bool               `json:"atomic,omitzero" doc:"All items or none, in one Commit." default:"false"`
}

// taskResultBody is what became of one item.
type taskResultBody struct {
	Status  int                       `json:"status" doc:"As the operation on a single task would have answered; 424 for what an atomic bulk did not do because of another item."`
	Body    edge.OrNull[taskBody]     `json:"body" doc:"The task, where the status is 200 or 201."`
	Problem edge.OrNull[edge.Problem] `json:"problem" doc:"Why the item was not done."`
}

type taskResultsBody struct {
	Items []taskResultBody `json:"items" nullable:"false" doc:"One for each item of the request, in its order."`
}

type taskResults struct {
	Seq  edge.OptionalSeq `header:"Docket-Seq" doc:"The tenant's sequence number of the last event of the items; absent if no item was accepted."`
	Body taskResultsBody
}

const bulkDoc = "The shapes of all are checked before anything is done (422). Then each item has its own outcome: " +
	"the answer is 200, also if all are refused. Without atomic each item is a Commit of its own, in no particular order. With atomic they are one: " +
	"if one is refused, none is done, and those that could have been done have status 424 other-item-refused; " +
	"what concerns all, such as 409 concurrent-update or 503, is then the answer's status. " +
	"One Idempotency-Key is for the whole request: repeated, it answers the same items, and carries out only those that had no outcome " +
	"(409 concurrent-update, 403 insufficient-role, 5xx). A member has one notification of all tasks."

func registerTasksBulk(s *Server) {
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPost, Path: "/v1/tasks/bulk", ID: "create-tasks", Tag: "tasks", Action: domain.TaskCreate, NoSeqIfRefused: true,
		Summary: "Create up to 100 tasks", Description: bulkDoc, Errors: commandErrors(),
	}, s.createTasks)
	edge.RegisterScoped(s.router, edge.Operation{
		Method: http.MethodPatch, Path: "/v1/tasks/bulk", ID: "edit-tasks", Tag: "tasks", Action: domain.TaskEdit, NoSeqIfRefused: true,
		Summary: "Change up to 100 tasks", Description: "Items, atomic and results are as in create-tasks; version is an item's If-Match.", Errors: commandErrors(),
	}, s.editTasks)
}

func (s *Server) createTasks(ctx context.Context, scope domain.Scope, in *struct{ Body newTasksBody }) (*taskResults, error) {
	var (
		items   []commands.TaskItem
		invalid []domain.FieldError
	)
	for i, body := range in.Body.Items {
		cmd := body.NewTaskFields.command()
		invalid = append(invalid, fieldsOf(itemError(i, cmd.Check()))...)
		item, err := commands.NewTask(scope, body.ProjectID, cmd)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return s.bulk(ctx, scope, http.StatusCreated, items, invalid, in.Body.Atomic)
}

func (s *Server) editTasks(ctx context.Context, scope domain.Scope, in *struct{ Body editTasksBody }) (*taskResults, error) {
	var (
		items   []commands.TaskItem
		invalid []domain.FieldError
	)
	seen := map[domain.TaskID]bool{}
	for i, body := range in.Body.Items {
		if seen[body.ID] {
			invalid = append(invalid, domain.FieldError{Pointer: fmt.Sprintf("/items/%d/id", i), Code: edge.FieldDuplicate, Detail: "another item has this id"})
		}
		seen[body.ID] = true
		cmd := body.EditTaskFields.command()
		if body.Version.Set {
			cmd.IfMatch = domain.IfVersion(body.Version.Value)
		}
		invalid = append(invalid, fieldsOf(itemError(i, cmd.Check()))...)
		items = append(items, commands.TaskEdit(scope, body.ID, cmd))
	}
	return s.bulk(ctx, scope, http.StatusOK, items, invalid, in.Body.Atomic)
}

// maxInvalid is how many fields one answer names.
const maxInvalid = 50

// bulk carries out the items, unless their shapes are invalid, and renders the results;
// success is the status of an accepted one.
func (s *Server) bulk(ctx context.Context, scope domain.Scope, success int, items []commands.TaskItem, invalid []domain.FieldError, atomic bool) (*taskResults, error) {
	if len(invalid) > 0 {
		return nil, &domain.Error{Code: domain.CodeValidationFailed, Detail: "the request has invalid fields", Fields: invalid[:min(len(invalid), maxInvalid)]}
	}
	b := commands.Bulk{Items: items, Render: func(i int, err error) json.RawMessage {
		body, err := s.router.Problem(ctx, itemError(i, err)).MarshalJSON()
		if err != nil {
			panic(err) // a problem has a JSON form
		}
		return body
	}}
	carryOut := s.commands.EachTask
	if atomic {
		carryOut = s.commands.AllTasks
	}
	results, err := carryOut(ctx, scope, edge.Origin(ctx), b)
	if err != nil {
		return nil, err
	}
	out, seq := &taskResults{}, int64(0)
	for i, r := range results {
		var item taskResultBody
		switch {
		case r.Refusal != nil:
			item.Problem.Value = edge.RecordedProblem(r.Refusal)
		case r.Err != nil:
			item.Problem.Value = s.router.Problem(ctx, itemError(i, r.Err))
		default:
			body := renderTask(r.State)
			item.Status, item.Body.Value = success, &body
			seq = max(seq, r.Seq)
		}
		if item.Problem.Value != nil {
			item.Status = item.Problem.Value.Status
		}
		out.Body.Items = append(out.Body.Items, item)
	}
	if seq > 0 {
		out.Seq = edge.OptionalSeq(strconv.FormatInt(seq, 10))
		s.acknowledge(scope, seq)
	}
	return out, nil
}

// itemError is an error of an item, whose pointers lead into the request's body.
func itemError(i int, err error) error {
	var refusal *domain.Error
	if !errors.As(err, &refusal) || len(refusal.Fields) == 0 {
		return err
	}
	of := *refusal
	of.Fields = slices.Clone(refusal.Fields)
	for n := range of.Fields {
		of.Fields[n].Pointer = fmt.Sprintf("/items/%d%s", i, of.Fields[n].Pointer)
	}
	return &of
}

// fieldsOf are the invalid fields that an error names; none for nil.
func fieldsOf(err error) []domain.FieldError {
	var refusal *domain.Error
	if !errors.As(err, &refusal) {
		return nil
	}
	return refusal.Fields
}
