package projections

import (
	"context"
	"fmt"
	"slices"

	"docket/domain"
)

// ProjectsAsOf is Projects after a seq of the log: in the state, and with the
// projects, that there were then.
func (q *Queries) ProjectsAsOf(ctx context.Context, s domain.Scope, filter ProjectFilter, order Order, p Page, seq int64) ([]domain.Project, *Keyset, error) {
	order = order.orDefault()
	by, ok := projectSortings[order.By]
	if !ok {
		return nil, nil, fmt.Errorf("list projects: no order by %q", order.By)
	}
	wanted, err := newSelection(p, by, order.Descending)
	if err != nil {
		return nil, nil, err
	}
	return selected(ctx, q, s, wanted, by.key, func(ctx context.Context) error {
		return pastProjects.each(ctx, q, s, seq, nil, func(p *domain.Project) {
			if filter.fits(p) {
				wanted.offer(p)
			}
		})
	})
}

// TasksAsOf is Tasks after a seq of the log.
func (q *Queries) TasksAsOf(ctx context.Context, s domain.Scope, filter TaskFilter, order Order, p Page, seq int64) ([]domain.Task, *Keyset, error) {
	order = order.orDefault()
	by, ok := taskSortings[order.By]
	if !ok {
		return nil, nil, fmt.Errorf("list tasks: no order by %q", order.By)
	}
	wanted, err := newSelection(p, by, order.Descending)
	if err != nil {
		return nil, nil, err
	}
	return selected(ctx, q, s, wanted, by.key, func(ctx context.Context) error {
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

// fits reports what taskConditions ask of a task, but that its project is there.
func (f TaskFilter) fits(t *domain.Task) bool {
	assigned := f.AssigneeIDs == nil && !f.Unassigned
	if t.AssigneeID == nil {
		assigned = assigned || f.Unassigned
	} else {
		assigned = assigned || slices.Contains(f.AssigneeIDs, *t.AssigneeID)
	}
	return assigned && among(f.ProjectIDs, t.ProjectID) && among(f.Statuses, t.Status) && among(f.Priorities, t.Priority) &&
		among(f.CreatedBy, t.CreatedBy) && f.Due.fits(t.DueDate) && since(f.UpdatedSince, t.UpdatedAt) &&
		(f.Labels == nil || slices.ContainsFunc(t.Labels, func(l string) bool { return slices.Contains(f.Labels, l) }))
}

// CommentsAsOf is Comments after a seq of the log.
func (q *Queries) CommentsAsOf(ctx context.Context, s domain.Scope, task domain.TaskID, p Page, seq int64) ([]domain.Comment, *Keyset, error) {
	wanted, err := newSelection(p, sorting[domain.Comment]{of: func(c *domain.Comment) place { return place{at: c.CreatedAt, id: c.ID.UUID()} }}, false)
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
func (q *Queries) MembersAsOf(ctx context.Context, s domain.Scope, filter MemberFilter, p Page, seq int64) ([]domain.Membership, *Keyset, error) {
	wanted, err := newSelection(p, sorting[domain.Membership]{of: func(m *domain.Membership) place { return place{at: m.JoinedAt, id: m.UserID.UUID()} }}, false)
	if err != nil {
		return nil, nil, err
	}
	return selected(ctx, q, s, wanted, memberKey, func(ctx context.Context) error {
		return pastMembers.each(ctx, q, s, seq, nil, func(m *domain.Membership) {
			if filter.fits(m) {
				wanted.offer(m)
			}
		})
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

// among reports whether a value is one of those asked for, if any are.
func among[T comparable](asked []T, value T) bool {
	return asked == nil || slices.Contains(asked, value)
}

// selection picks a page of a list out of items that come in any order, and holds no
// more of them than the page and one.
type selection[R any] struct {
	page       Page
	place      func(*R) place
	descending bool

	after *place
	best  []placed[R]
}

type placed[R any] struct {
	place place
	item  *R
}

func newSelection[R any](p Page, by sorting[R], descending bool) (*selection[R], error) {
	s := &selection[R]{page: p, place: by.of, descending: descending}
	if p.After == nil {
		return s, nil
	}
	after, err := by.values.place(*p.After)
	s.after = &after
	return s, err
}

func (s *selection[R]) compare(a, b place) int {
	if s.descending {
		return b.compare(a)
	}
	return a.compare(b)
}

// offer takes an item into the page if it belongs there.
func (s *selection[R]) offer(item *R) {
	at := s.place(item)
	if s.after != nil && s.compare(at, *s.after) <= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(s.best, at, func(b placed[R], at place) int { return s.compare(b.place, at) })
	most := s.page.limit() + 1
	if i == most {
		return
	}
	s.best = slices.Insert(s.best, i, placed[R]{at, item})
	s.best = s.best[:min(most, len(s.best))]
}

// items is the page, never nil, and where the next begins, nil if there is none.
func (s *selection[R]) items(key func(R) Keyset) ([]R, *Keyset) {
	items := make([]R, 0, len(s.best))
	for _, b := range s.best {
		items = append(items, *b.item)
	}
	return paged(items, s.page.limit(), key)
}
