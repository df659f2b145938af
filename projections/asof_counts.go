package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// StatsAsOf is Stats after a seq of the log. How far subscriptions had come isn't known: it
// names none.
func (q *Queries) StatsAsOf(ctx context.Context, s domain.Scope, seq int64) (Stats, error) {
	return inPast(ctx, q, q.pastLists, s.Tenant(), func(ctx context.Context) (Stats, error) {
		stats := Stats{Projects: map[domain.Status]int64{}, Tasks: map[domain.TaskStatus]int64{}, Head: seq, Subscriptions: []SubscriptionLag{}}
		there := map[domain.ProjectID]bool{}
		err := pastMembers.each(ctx, q, s, seq, nil, func(*domain.Membership) { stats.Members++ })
		if err == nil {
			err = pastProjects.each(ctx, q, s, seq, nil, func(p *domain.Project) {
				there[p.ID] = true
				stats.Projects[p.Status]++
			})
		}
		if err == nil {
			err = pastTasks.each(ctx, q, s, seq, nil, func(t *domain.Task) {
				if there[t.ProjectID] {
					stats.Tasks[t.Status]++
				}
			})
		}
		if err == nil {
			stats.Comments, err = q.countCommentsAsOf(ctx, s, seq, there)
		}
		return stats, err
	})
}

// tasksThereThenSQL finds which of some tasks ($3) of a tenant ($1) weren't deleted after a
// seq ($4). $2 is the name of the read model.
var tasksThereThenSQL = `select t.id from unnest($3::uuid[]) as t (id), lateral (
  select type from events where tenant_id = $1 and stream_id = t.id and seq <= $4` + notSkipped + `
  order by version desc limit 1) as l
where l.type <> 'task.deleted'`

// countCommentsAsOf counts the comments of tasks that were there, in projects that were. It
// asks for the tasks of asOfStreams at a time, so it holds no more.
func (q *Queries) countCommentsAsOf(ctx context.Context, s domain.Scope, seq int64, projects map[domain.ProjectID]bool) (n int64, err error) {
	onTask := map[uuid.UUID]int64{}
	count := func() error {
		ids := make([]uuid.UUID, 0, len(onTask))
		for id := range onTask {
			ids = append(ids, id)
		}
		return q.scoped(ctx, s, func(b *pgx.Batch) {
			b.Queue(tasksThereThenSQL, s.Tenant().UUID(), tasks.Name, ids, seq).Query(func(rows pgx.Rows) error {
				var id uuid.UUID
				_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
					n += onTask[id]
					return nil
				})
				clear(onTask)
				return err
			})
		})
	}
	var failed error
	err = pastComments.each(ctx, q, s, seq, nil, func(c *domain.Comment) {
		if !projects[c.ProjectID] || failed != nil {
			return
		}
		if onTask[c.TaskID.UUID()]++; len(onTask) == q.asOfStreams {
			failed = count()
		}
	})
	if err == nil && failed == nil {
		failed = count()
	}
	return n, errors.Join(err, failed)
}

// lastActivityAsOfSQL reads the last event of a project ($3), its tasks or its comments, of a
// tenant ($1), up to a seq ($4). $2 is the name of the read model. It goes back from there.
var lastActivityAsOfSQL = `select seq, occurred_at, actor_id, meta, type, stream_type, stream_id from events
where tenant_id = $1 and seq <= $4 and (stream_type = 'project' and stream_id = $3
  or stream_type in ('task', 'comment') and data->>'project_id' = $3::text)` + notSkipped + ` order by seq desc limit 1`

// ProjectSummaryAsOf is ProjectSummary after a seq of the log, and at a time: up to it the
// present status is counted, and by its day tasks are overdue.
func (q *Queries) ProjectSummaryAsOf(ctx context.Context, s domain.Scope, id domain.ProjectID, seq int64, at time.Time) (ProjectSummary, error) {
	return inPast(ctx, q, q.pastLists, s.Tenant(), func(ctx context.Context) (ProjectSummary, error) {
		row, err := pastSummaries.row(ctx, q, s, id.UUID(), seq)
		if err == nil && row == nil {
			err = domain.NotFound("project")
		}
		if err != nil {
			return ProjectSummary{}, err
		}
		out := ProjectSummary{Summary: *row, Now: at, Tasks: map[domain.TaskStatus]int64{}}
		out.Spent[out.Status] += max(0, at.Sub(out.Since))
		for _, status := range domain.TaskStatuses() {
			out.Tasks[status] = 0
		}
		today := domain.Date(at.UTC().Format(time.DateOnly))
		ours := func(t *domain.Task) bool { return t.ProjectID == id }
		err = pastTasks.each(ctx, q, s, seq, ours, func(t *domain.Task) {
			out.Tasks[t.Status]++
			if t.Status != domain.Done && t.DueDate != nil && *t.DueDate < today {
				out.Overdue++
			}
		})
		if err != nil {
			return ProjectSummary{}, err
		}
		err = q.scoped(ctx, s, func(b *pgx.Batch) {
			b.Queue(lastActivityAsOfSQL, s.Tenant().UUID(), summaries.Name, id.UUID(), seq).QueryRow(func(row pgx.Row) error {
				var meta json.RawMessage
				if err := row.Scan(out.Last.targets(&meta)...); err != nil {
					return err
				}
				return out.Last.named(meta)
			})
		})
		if err != nil {
			return ProjectSummary{}, fmt.Errorf("read summary as of %d: %w", seq, err)
		}
		return out, nil
	})
}
