package projections

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"docket/domain"

	"github.com/google/uuid"
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

// rank is where an item stands in a list: the sort value, a time or a text, and the
// id. It compares as the queries order.
type rank struct {
	at   time.Time
	text string
	id   uuid.UUID
}

func (r rank) compare(other rank) int {
	return cmp.Or(r.at.Compare(other.at), strings.Compare(r.text, other.text), bytes.Compare(r.id[:], other.id[:]))
}

// selection picks a page of a list out of items that come in any order, and holds no
// more of them than the page and one.
type selection[R any] struct {
	page       Page
	rank       func(*R) rank
	descending bool

	after *rank
	best  []ranked[R]
}

type ranked[R any] struct {
	rank rank
	item *R
}

// newSelection selects by a time, or by a text where byText says so.
func newSelection[R any](p Page, of func(*R) rank, byText, descending bool) (*selection[R], error) {
	s := &selection[R]{page: p, rank: of, descending: descending}
	if p.After == nil {
		return s, nil
	}
	s.after = &rank{text: p.After.Value, id: p.After.ID}
	if !byText {
		at, err := time.Parse(time.RFC3339Nano, p.After.Value)
		if err != nil {
			return nil, fmt.Errorf("the place of a page: %w", err)
		}
		s.after.at, s.after.text = at, ""
	}
	return s, nil
}

func (s *selection[R]) compare(a, b rank) int {
	if s.descending {
		return b.compare(a)
	}
	return a.compare(b)
}

// offer takes an item into the page if it belongs there.
func (s *selection[R]) offer(item *R) {
	r := s.rank(item)
	if s.after != nil && s.compare(r, *s.after) <= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(s.best, r, func(b ranked[R], r rank) int { return s.compare(b.rank, r) })
	most := s.page.limit() + 1
	if i == most {
		return
	}
	s.best = slices.Insert(s.best, i, ranked[R]{r, item})
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
