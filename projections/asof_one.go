package projections

import (
	"context"

	"docket/domain"
)

// ProjectAsOf is Project after a seq of the log: as it was then, if it was there
// then. It reads the project's stream alone.
func (q *Queries) ProjectAsOf(ctx context.Context, s domain.Scope, id domain.ProjectID, seq int64) (domain.Project, error) {
	return inPast(ctx, q, q.pastSingles, s.Tenant(), func(ctx context.Context) (domain.Project, error) { return q.projectAsOf(ctx, s, id, seq) })
}

// TaskAsOf is Task after a seq of the log. It reads the streams of the task and of
// its project.
func (q *Queries) TaskAsOf(ctx context.Context, s domain.Scope, id domain.TaskID, seq int64) (domain.Task, error) {
	return inPast(ctx, q, q.pastSingles, s.Tenant(), func(ctx context.Context) (domain.Task, error) { return q.taskAsOf(ctx, s, id, seq) })
}

// CommentAsOf is Comment after a seq of the log. It reads the streams of the
// comment, its task and its project.
func (q *Queries) CommentAsOf(ctx context.Context, s domain.Scope, id domain.CommentID, seq int64) (domain.Comment, error) {
	return inPast(ctx, q, q.pastSingles, s.Tenant(), func(ctx context.Context) (domain.Comment, error) {
		c, err := pastComments.row(ctx, q, s, id.UUID(), seq)
		if err != nil {
			return domain.Comment{}, err
		}
		if c == nil {
			return domain.Comment{}, domain.NotFound("comment")
		}
		_, err = q.taskAsOf(ctx, s, c.TaskID, seq)
		return of(c, "comment", err)
	})
}

// TenantAsOf is Tenant after a seq of the log. Before its first event the error is
// domain.NotFound.
func (q *Queries) TenantAsOf(ctx context.Context, s domain.Scope, seq int64) (domain.Tenant, error) {
	return inPast(ctx, q, q.pastSingles, s.Tenant(), func(ctx context.Context) (domain.Tenant, error) {
		t, err := pastTenants.row(ctx, q, s, s.Tenant().UUID(), seq)
		if err == nil && t == nil {
			err = domain.NotFound("tenant")
		}
		if err != nil {
			return domain.Tenant{}, err
		}
		return *t, nil
	})
}

func (q *Queries) projectAsOf(ctx context.Context, s domain.Scope, id domain.ProjectID, seq int64) (domain.Project, error) {
	p, err := pastProjects.row(ctx, q, s, id.UUID(), seq)
	if err == nil && p == nil {
		err = domain.NotFound("project")
	}
	if err != nil {
		return domain.Project{}, err
	}
	return *p, nil
}

func (q *Queries) taskAsOf(ctx context.Context, s domain.Scope, id domain.TaskID, seq int64) (domain.Task, error) {
	t, err := pastTasks.row(ctx, q, s, id.UUID(), seq)
	if err != nil {
		return domain.Task{}, err
	}
	if t == nil {
		return domain.Task{}, domain.NotFound("task")
	}
	_, err = q.projectAsOf(ctx, s, t.ProjectID, seq)
	return of(t, "task", err)
}

// of is a thing that is there as long as what it belongs to, which err tells about,
// is: whose end isn't named.
func of[R any](thing *R, what string, err error) (R, error) {
	var none R
	switch {
	case err == nil:
		return *thing, nil
	case domain.CodeOf(err) == domain.CodeNotFound:
		return none, domain.NotFound(what)
	}
	return none, err
}
