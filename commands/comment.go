package commands

import (
	"context"

	"docket/domain"
)

// CreateComment adds a comment to a task; it sets cmd.ID, cmd.Task, cmd.Project and
// cmd.Mentioned. Errors: those of domain.DecideComment and of every command.
func (c *Commands) CreateComment(ctx context.Context, s domain.Scope, o Origin, task domain.TaskID, cmd domain.CreateComment) (Result[domain.Comment], error) {
	id, err := newID[domain.CommentID]()
	if err != nil {
		return Result[domain.Comment]{}, err
	}
	cmd.ID = id
	return change(ctx, c, s, o, comments.newStream(s.Tenant(), id.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, comment domain.Comment) ([]domain.Event, error) {
			var err error
			if cmd.Task, cmd.Project, err = loadTask(ctx, a, s.Tenant(), task); err != nil {
				return nil, err
			}
			if cmd.Mentioned, err = c.loadMentioned(ctx, a, s.Tenant(), cmd.Body); err != nil {
				return nil, err
			}
			return domain.DecideComment(comment, by, cmd)
		})
}

// EditComment changes a comment's body; it sets cmd.Task, cmd.Project and
// cmd.Mentioned.
func (c *Commands) EditComment(ctx context.Context, s domain.Scope, o Origin, id domain.CommentID, cmd domain.EditComment) (Result[domain.Comment], error) {
	return change(ctx, c, s, o, comments.in(s.Tenant(), id.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, comment domain.Comment) ([]domain.Event, error) {
			var err error
			if cmd.Task, cmd.Project, err = loadTask(ctx, a, s.Tenant(), comment.TaskID); err != nil {
				return nil, err
			}
			if cmd.Mentioned, err = c.loadMentioned(ctx, a, s.Tenant(), cmd.Body.Or("")); err != nil {
				return nil, err
			}
			return domain.DecideComment(comment, by, cmd)
		})
}

// DeleteComment deletes a comment; it sets cmd.Task and cmd.Project.
func (c *Commands) DeleteComment(ctx context.Context, s domain.Scope, o Origin, id domain.CommentID, cmd domain.DeleteComment) (Result[domain.Comment], error) {
	return change(ctx, c, s, o, comments.in(s.Tenant(), id.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, comment domain.Comment) ([]domain.Event, error) {
			var err error
			if cmd.Task, cmd.Project, err = loadTask(ctx, a, s.Tenant(), comment.TaskID); err != nil {
				return nil, err
			}
			return domain.DecideComment(comment, by, cmd)
		})
}

// loadTask loads a task and its project; zero values for what doesn't exist.
func loadTask(ctx context.Context, a *attempt, t domain.TenantID, id domain.TaskID) (domain.Task, domain.Project, error) {
	if id.IsZero() {
		return domain.Task{}, domain.Project{}, nil
	}
	task, err := load(ctx, a, tasks.in(t, id.UUID()))
	if err != nil {
		return task, domain.Project{}, err
	}
	project, err := loadProject(ctx, a, t, task)
	return task, project, err
}

// loadMentioned loads the memberships of the users that a text mentions.
func (c *Commands) loadMentioned(ctx context.Context, a *attempt, t domain.TenantID, text string) ([]domain.Membership, error) {
	var out []domain.Membership
	for _, address := range domain.Mentions(text) {
		u, found, err := c.UserByEmail(ctx, address)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		m, err := load(ctx, a, memberships.in(t, u.UUID()))
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}
