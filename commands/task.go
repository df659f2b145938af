package commands

import (
	"context"

	"docket/domain"
)

// CreateTask puts a task on a project's list. cmd.ID, cmd.Project and
// cmd.Assignee are given by this method. Errors: those of domain.DecideTask and
// of every command.
func (c *Commands) CreateTask(ctx context.Context, s domain.Scope, o Origin, project domain.ProjectID, cmd domain.CreateTask) (Done[domain.Task], error) {
	id, err := newID[domain.TaskID]()
	if err != nil {
		return Done[domain.Task]{}, err
	}
	cmd.ID = id
	return create(ctx, c, s, o, tasks, id.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, t domain.Task) ([]domain.Event, error) {
			var err error
			if cmd.Project, err = look(ctx, a, projects, s.Tenant(), project.UUID()); err != nil {
				return nil, err
			}
			if cmd.Assignee, err = assignee(ctx, a, s.Tenant(), cmd.AssigneeID); err != nil {
				return nil, err
			}
			return domain.DecideTask(t, by, cmd)
		})
}

// EditTask changes a task's fields; cmd.Project and cmd.Assignee are given by
// this method.
func (c *Commands) EditTask(ctx context.Context, s domain.Scope, o Origin, id domain.TaskID, cmd domain.EditTask) (Done[domain.Task], error) {
	return change(ctx, c, s, o, tasks, id.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, t domain.Task) ([]domain.Event, error) {
			var err error
			if cmd.Project, err = projectOf(ctx, a, s.Tenant(), t); err != nil {
				return nil, err
			}
			if cmd.AssigneeID.Set {
				if cmd.Assignee, err = assignee(ctx, a, s.Tenant(), cmd.AssigneeID.Value); err != nil {
					return nil, err
				}
			}
			return domain.DecideTask(t, by, cmd)
		})
}

// DeleteTask ends a task; cmd.Project is given by this method.
func (c *Commands) DeleteTask(ctx context.Context, s domain.Scope, o Origin, id domain.TaskID, cmd domain.DeleteTask) (Done[domain.Task], error) {
	return change(ctx, c, s, o, tasks, id.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, t domain.Task) ([]domain.Event, error) {
			var err error
			if cmd.Project, err = projectOf(ctx, a, s.Tenant(), t); err != nil {
				return nil, err
			}
			return domain.DecideTask(t, by, cmd)
		})
}

// projectOf is the project of a task; the zero Project of a task that isn't there.
func projectOf(ctx context.Context, a *attempt, t domain.TenantID, task domain.Task) (domain.Project, error) {
	if task.Version == 0 {
		return domain.Project{}, nil
	}
	return look(ctx, a, projects, t, task.ProjectID.UUID())
}

// assignee is the membership of the user, if there is one to be assigned.
func assignee(ctx context.Context, a *attempt, t domain.TenantID, u *domain.UserID) (domain.Membership, error) {
	if u == nil {
		return domain.Membership{}, nil
	}
	return look(ctx, a, memberships, t, u.UUID())
}
