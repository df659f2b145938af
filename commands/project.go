package commands

import (
	"context"

	"docket/domain"
)

// CreateProject makes a draft that belongs to the caller. c.ID is given by this
// method. Errors: those of domain.DecideProject and of every command.
func (c *Commands) CreateProject(ctx context.Context, s domain.Scope, o Origin, cmd domain.CreateProject) (Done[domain.Project], error) {
	id, err := newID[domain.ProjectID]()
	if err != nil {
		return Done[domain.Project]{}, err
	}
	cmd.ID = id
	return create(ctx, c, s, o, projects, id.UUID(), decideProject(cmd))
}

// EditProject changes a project's fields.
func (c *Commands) EditProject(ctx context.Context, s domain.Scope, o Origin, id domain.ProjectID, cmd domain.EditProject) (Done[domain.Project], error) {
	return change(ctx, c, s, o, projects, id.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, p domain.Project) ([]domain.Event, error) {
			if cmd.OwnerID.Set && cmd.OwnerID.Value != p.OwnerID {
				m, err := look(ctx, a, memberships, s.Tenant(), cmd.OwnerID.Value.UUID())
				if err != nil {
					return nil, err
				}
				cmd.NewOwner = m
			}
			return domain.DecideProject(p, by, cmd)
		})
}

// MoveProject takes a project along the workflow; cmd.FourEyes is given by this
// method.
func (c *Commands) MoveProject(ctx context.Context, s domain.Scope, o Origin, id domain.ProjectID, cmd domain.MoveProject) (Done[domain.Project], error) {
	return change(ctx, c, s, o, projects, id.UUID(),
		func(ctx context.Context, a *attempt, by domain.Actor, p domain.Project) ([]domain.Event, error) {
			t, err := look(ctx, a, tenants, s.Tenant(), s.Tenant().UUID())
			if err != nil {
				return nil, err
			}
			cmd.FourEyes = t.FourEyes
			return domain.DecideProject(p, by, cmd)
		})
}

// DeleteProject ends a project, and with it its tasks.
func (c *Commands) DeleteProject(ctx context.Context, s domain.Scope, o Origin, id domain.ProjectID, cmd domain.DeleteProject) (Done[domain.Project], error) {
	return change(ctx, c, s, o, projects, id.UUID(), decideProject(cmd))
}

func decideProject(cmd domain.ProjectCommand) decision[domain.Project] {
	return func(_ context.Context, _ *attempt, by domain.Actor, p domain.Project) ([]domain.Event, error) {
		return domain.DecideProject(p, by, cmd)
	}
}
