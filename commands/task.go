package commands

import (
	"context"

	"docket/domain"
)

// TaskItem is what a command does to one task, alone or as an item of a bulk.
type TaskItem struct {
	target aggregate[domain.Task]
	decide decision[domain.Task]
}

// NewTask adds a task to a project; it sets cmd.ID, cmd.Project and cmd.Assignee.
func NewTask(s domain.Scope, project domain.ProjectID, cmd domain.CreateTask) (TaskItem, error) {
	id, err := newID[domain.TaskID]()
	if err != nil {
		return TaskItem{}, err
	}
	cmd.ID = id
	return TaskItem{tasks.newStream(s.Tenant(), id.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, t domain.Task) ([]domain.Event, error) {
			var err error
			if cmd.Project, err = load(ctx, a, projects.in(s.Tenant(), project.UUID())); err != nil {
				return nil, err
			}
			if cmd.Assignee, err = loadAssignee(ctx, a, s.Tenant(), cmd.AssigneeID); err != nil {
				return nil, err
			}
			return domain.DecideTask(t, by, cmd)
		}}, nil
}

// TaskEdit changes a task's fields; it sets cmd.Project and cmd.Assignee.
func TaskEdit(s domain.Scope, id domain.TaskID, cmd domain.EditTask) TaskItem {
	return TaskItem{tasks.in(s.Tenant(), id.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, t domain.Task) ([]domain.Event, error) {
			var err error
			if cmd.Project, err = loadProject(ctx, a, s.Tenant(), t); err != nil {
				return nil, err
			}
			if cmd.AssigneeID.Set {
				if cmd.Assignee, err = loadAssignee(ctx, a, s.Tenant(), cmd.AssigneeID.Value); err != nil {
					return nil, err
				}
			}
			return domain.DecideTask(t, by, cmd)
		}}
}

// CreateTask is NewTask alone. Errors: those of domain.DecideTask and of every command.
func (c *Commands) CreateTask(ctx context.Context, s domain.Scope, o Origin, project domain.ProjectID, cmd domain.CreateTask) (Result[domain.Task], error) {
	item, err := NewTask(s, project, cmd)
	if err != nil {
		return Result[domain.Task]{}, err
	}
	return change(ctx, c, s, o, item.target, item.decide)
}

// EditTask is TaskEdit alone.
func (c *Commands) EditTask(ctx context.Context, s domain.Scope, o Origin, id domain.TaskID, cmd domain.EditTask) (Result[domain.Task], error) {
	item := TaskEdit(s, id, cmd)
	return change(ctx, c, s, o, item.target, item.decide)
}

// DeleteTask deletes a task; it sets cmd.Project.
func (c *Commands) DeleteTask(ctx context.Context, s domain.Scope, o Origin, id domain.TaskID, cmd domain.DeleteTask) (Result[domain.Task], error) {
	return change(ctx, c, s, o, tasks.in(s.Tenant(), id.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, t domain.Task) ([]domain.Event, error) {
			var err error
			if cmd.Project, err = loadProject(ctx, a, s.Tenant(), t); err != nil {
				return nil, err
			}
			return domain.DecideTask(t, by, cmd)
		})
}

// loadProject loads a task's project; the zero Project for a task that doesn't exist.
func loadProject(ctx context.Context, a *attempt, t domain.TenantID, task domain.Task) (domain.Project, error) {
	if task.Version == 0 {
		return domain.Project{}, nil
	}
	return load(ctx, a, projects.in(t, task.ProjectID.UUID()))
}

// loadAssignee loads the assignee's membership, if a user is named.
func loadAssignee(ctx context.Context, a *attempt, t domain.TenantID, u *domain.UserID) (domain.Membership, error) {
	if u == nil {
		return domain.Membership{}, nil
	}
	return load(ctx, a, memberships.in(t, u.UUID()))
}
