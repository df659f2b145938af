package commands

import (
	"context"

	"docket/domain"
)

// CreateComment says something about a task. cmd.ID, cmd.Task, cmd.Project and
// cmd.Mentioned are given by this method. Errors: those of domain.DecideComment
// and of every command.
func (c *Commands) CreateComment(ctx context.Context, s domain.Scope, o Origin, task domain.TaskID, cmd domain.CreateComment) (Done[domain.Comment], error) {
	id, err := newID[domain.CommentID]()
	if err != nil {
		return Done[domain.Comment]{}, err
	}
	cmd.ID = id
	return create(ctx, c, s, o, comments, id.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, present domain.Comment) ([]domain.Event, error) {
			var err error
			if cmd.Task, cmd.Project, err = taskAndProject(ctx, a, s.Tenant(), task); err != nil {
				return nil, err
			}
			if cmd.Mentioned, err = c.mentioned(ctx, a, s.Tenant(), cmd.Body); err != nil {
				return nil, err
			}
			return domain.DecideComment(present, by, cmd)
		})
}

// EditComment changes what was said; cmd.Task, cmd.Project and cmd.Mentioned are
// given by this method.
func (c *Commands) EditComment(ctx context.Context, s domain.Scope, o Origin, id domain.CommentID, cmd domain.EditComment) (Done[domain.Comment], error) {
	return change(ctx, c, s, o, comments, id.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, present domain.Comment) ([]domain.Event, error) {
			var err error
			if cmd.Task, cmd.Project, err = taskAndProject(ctx, a, s.Tenant(), present.TaskID); err != nil {
				return nil, err
			}
			if cmd.Mentioned, err = c.mentioned(ctx, a, s.Tenant(), cmd.Body.Or("")); err != nil {
				return nil, err
			}
			return domain.DecideComment(present, by, cmd)
		})
}

// DeleteComment takes a comment back; cmd.Task and cmd.Project are given by this
// method.
func (c *Commands) DeleteComment(ctx context.Context, s domain.Scope, o Origin, id domain.CommentID, cmd domain.DeleteComment) (Done[domain.Comment], error) {
	return change(ctx, c, s, o, comments, id.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, present domain.Comment) ([]domain.Event, error) {
			var err error
			if cmd.Task, cmd.Project, err = taskAndProject(ctx, a, s.Tenant(), present.TaskID); err != nil {
				return nil, err
			}
			return domain.DecideComment(present, by, cmd)
		})
}

// taskAndProject are a task and its project; zero values for what isn't there.
func taskAndProject(ctx context.Context, a *attempt, t domain.TenantID, id domain.TaskID) (domain.Task, domain.Project, error) {
	if id.IsZero() {
		return domain.Task{}, domain.Project{}, nil
	}
	task, err := look(ctx, a, tasks, t, id.UUID())
	if err != nil {
		return task, domain.Project{}, err
	}
	project, err := projectOf(ctx, a, t, task)
	return task, project, err
}

// mentioned are the memberships of those whose addresses a text mentions.
func (c *Commands) mentioned(ctx context.Context, a *attempt, t domain.TenantID, text string) ([]domain.Membership, error) {
	var out []domain.Membership
	for _, address := range domain.Mentions(text) {
		u, found, err := c.UserByEmail(ctx, address)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		m, err := look(ctx, a, memberships, t, u.UUID())
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}
