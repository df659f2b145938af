package projections

import (
	"context"
	"fmt"
	"slices"

	"docket/domain"
)

// ProjectsAsOf is Projects after a seq of the log: in the state, and with the
// projects, that there were then.
func (q *Queries) ProjectsAsOf(ctx context.Context, s domain.Scope, filter ProjectFilter, order ProjectOrder, p Page, seq int64) ([]domain.Project, *Keyset, error) {
	if order.By == "" {
		order.By = ByCreated
	}
	l, ok := projectListings[order]
	if !ok {
		return nil, nil, fmt.Errorf("list projects: no order by %q", order.By)
	}
	wanted, err := newSelection(p, func(p *domain.Project) rank {
		switch order.By {
		case ByName:
			return rank{text: p.Name, id: p.ID.UUID()}
		case ByUpdated:
			return rank{at: p.UpdatedAt, id: p.ID.UUID()}
		default:
			return rank{at: p.CreatedAt, id: p.ID.UUID()}
		}
	}, order.By == ByName, order.Descending)
	if err != nil {
		return nil, nil, err
	}
	return selected(ctx, q, s, wanted, l.key, func(ctx context.Context) error {
		return pastProjects.each(ctx, q, s, seq, nil, func(p *domain.Project) {
			if fits(filter.Status, p.Status) && fits(filter.OwnerID, p.OwnerID) && fits(filter.Visibility, p.Visibility) {
				wanted.offer(p)
			}
		})
	})
}

// TasksAsOf is Tasks after a seq of the log.
func (q *Queries) TasksAsOf(ctx context.Context, s domain.Scope, filter TaskFilter, p Page, seq int64) ([]domain.Task, *Keyset, error) {
	wanted, err := newSelection(p, func(t *domain.Task) rank { return rank{at: t.CreatedAt, id: t.ID.UUID()} }, false, false)
	if err != nil {
		return nil, nil, err
	}
	return selected(ctx, q, s, wanted, taskKey, func(ctx context.Context) error {
		there := map[domain.ProjectID]bool{}
		var ours func(*domain.Task) bool
		if filter.ProjectID != nil {
			if _, err := q.projectAsOf(ctx, s, *filter.ProjectID, seq); err != nil {
				return err
			}
			there[*filter.ProjectID] = true
			ours = func(t *domain.Task) bool { return there[t.ProjectID] }
		} else if err := pastProjects.each(ctx, q, s, seq, nil, func(p *domain.Project) { there[p.ID] = true }); err != nil {
			return err
		}
		return pastTasks.each(ctx, q, s, seq, ours, func(t *domain.Task) {
			if there[t.ProjectID] && filter.fits(t) {
				wanted.offer(t)
			}
		})
	})
}

// fits reports what tasksSQL asks of a task, but for its project.
func (f TaskFilter) fits(t *domain.Task) bool {
	return fits(f.Status, t.Status) && fits(f.Priority, t.Priority) &&
		(f.AssigneeID == nil || t.AssigneeID != nil && *t.AssigneeID == *f.AssigneeID) &&
		(f.Label == nil || slices.Contains(t.Labels, *f.Label)) &&
		(f.DueBefore == nil || t.DueDate != nil && *t.DueDate < *f.DueBefore)
}

// CommentsAsOf is Comments after a seq of the log.
func (q *Queries) CommentsAsOf(ctx context.Context, s domain.Scope, task domain.TaskID, p Page, seq int64) ([]domain.Comment, *Keyset, error) {
	wanted, err := newSelection(p, func(c *domain.Comment) rank { return rank{at: c.CreatedAt, id: c.ID.UUID()} }, false, false)
	if err != nil {
		return nil, nil, err
	}
	return selected(ctx, q, s, wanted, commentKey, func(ctx context.Context) error {
		if _, err := q.taskAsOf(ctx, s, task, seq); err != nil {
			return err
		}
		ours := func(c *domain.Comment) bool { return c.TaskID == task }
		return pastComments.each(ctx, q, s, seq, ours, func(c *domain.Comment) { wanted.offer(c) })
	})
}

// MembersAsOf is Members after a seq of the log.
func (q *Queries) MembersAsOf(ctx context.Context, s domain.Scope, p Page, seq int64) ([]domain.Membership, *Keyset, error) {
	wanted, err := newSelection(p, func(m *domain.Membership) rank { return rank{at: m.JoinedAt, id: m.UserID.UUID()} }, false, false)
	if err != nil {
		return nil, nil, err
	}
	return selected(ctx, q, s, wanted, memberKey, func(ctx context.Context) error {
		return pastMembers.each(ctx, q, s, seq, nil, func(m *domain.Membership) { wanted.offer(m) })
	})
}

// selected is the page that a read of the past has offered.
func selected[R any](ctx context.Context, q *Queries, s domain.Scope, wanted *selection[R], key func(R) Keyset, read func(context.Context) error) ([]R, *Keyset, error) {
	if _, err := inPast(ctx, q, q.pastLists, s.Tenant(), func(ctx context.Context) (struct{}, error) { return struct{}{}, read(ctx) }); err != nil {
		return nil, nil, err
	}
	items, next := wanted.items(key)
	return items, next, nil
}

// fits reports whether a value is the one asked for, if one is.
func fits[T comparable](asked *T, value T) bool { return asked == nil || *asked == value }
