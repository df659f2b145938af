package commands

import (
	"context"

	"docket/domain"
)

// CreateProject creates a draft whose owner is the caller; it sets cmd.ID. Errors:
// those of domain.DecideProject and of every command.
func (c *Commands) CreateProject(ctx context.Context, s domain.Scope, o Origin, cmd domain.CreateProject) (Result[domain.Project], error) {
	id, err := newID[domain.ProjectID]()
	if err != nil {
		return Result[domain.Project]{}, err
	}
	cmd.ID = id
	return change(ctx, c, s, o, projects.newStream(s.Tenant(), id.UUID()), decideProject(cmd))
}

// EditProject changes a project's fields; it sets cmd.NewOwner and
// cmd.FourEyes.
func (c *Commands) EditProject(ctx context.Context, s domain.Scope, o Origin, id domain.ProjectID, cmd domain.EditProject) (Result[domain.Project], error) {
	return change(ctx, c, s, o, projects.in(s.Tenant(), id.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, p domain.Project) ([]domain.Event, error) {
			if cmd.OwnerID.Set && cmd.OwnerID.Value != p.OwnerID {
				m, err := load(ctx, a, memberships.in(s.Tenant(), cmd.OwnerID.Value.UUID()))
				if err != nil {
					return nil, err
				}
				cmd.NewOwner = m
			}
			// Edits before the approval don't wait for changes of the tenant's settings.
			if p.Status == domain.Approved {
				t, err := load(ctx, a, tenants.in(s.Tenant(), s.Tenant().UUID()))
				if err != nil {
					return nil, err
				}
				cmd.FourEyes = t.FourEyes
			}
			return domain.DecideProject(p, by, cmd)
		})
}

// MoveProject moves a project to another status; it sets cmd.FourEyes.
func (c *Commands) MoveProject(ctx context.Context, s domain.Scope, o Origin, id domain.ProjectID, cmd domain.MoveProject) (Result[domain.Project], error) {
	return change(ctx, c, s, o, projects.in(s.Tenant(), id.UUID()),
		func(ctx context.Context, a *attempt, by domain.Actor, p domain.Project) ([]domain.Event, error) {
			t, err := load(ctx, a, tenants.in(s.Tenant(), s.Tenant().UUID()))
			if err != nil {
				return nil, err
			}
			cmd.FourEyes = t.FourEyes
			return domain.DecideProject(p, by, cmd)
		})
}

// DeleteProject deletes a project, and with it its tasks.
func (c *Commands) DeleteProject(ctx context.Context, s domain.Scope, o Origin, id domain.ProjectID, cmd domain.DeleteProject) (Result[domain.Project], error) {
	return change(ctx, c, s, o, projects.in(s.Tenant(), id.UUID()), decideProject(cmd))
}

func decideProject(cmd domain.ProjectCommand) decision[domain.Project] {
	return func(_ context.Context, _ *attempt, by domain.Actor, p domain.Project) ([]domain.Event, error) {
		return domain.DecideProject(p, by, cmd)
	}
}
