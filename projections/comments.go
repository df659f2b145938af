package projections

import (
	"context"
	"slices"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// comments is the read model of the comments that weren't deleted. Those of a
// deleted task or project stay in it; the queries leave them out.
var comments = define(model[uuid.UUID, domain.Comment]{
	Name: "comments", FoldVersion: 1, Table: "comments",
	Keys:    streamKeys(commentEvents),
	Creates: []string{"comment.created"},
	Ignores: slices.Concat(tenantEvents, userEvents, memberEvents, projectEvents, taskEvents, apiKeyEvents, subscriptionEvents),
	Fold:    byEvolve(domain.Comment.Evolve, func(c domain.Comment) bool { return !c.Deleted }),
	Key:     "id", KeyOf: func(c *domain.Comment) uuid.UUID { return c.ID.UUID() },
	Columns: []column[domain.Comment]{
		id("id", func(c *domain.Comment) *domain.CommentID { return &c.ID }),
		id("task_id", func(c *domain.Comment) *domain.TaskID { return &c.TaskID }),
		id("project_id", func(c *domain.Comment) *domain.ProjectID { return &c.ProjectID }),
		text("body", func(c *domain.Comment) *string { return &c.Body }),
		id("author_id", func(c *domain.Comment) *domain.UserID { return &c.AuthorID }),
		document("mentions", func(c *domain.Comment) *[]domain.UserID { return &c.Mentions }),
		instant("created_at", func(c *domain.Comment) *time.Time { return &c.CreatedAt }),
		instant("updated_at", func(c *domain.Comment) *time.Time { return &c.UpdatedAt }),
		plain("version", "integer", func(c *domain.Comment) *int { return &c.Version }),
	},
})

// onTask is true where neither the comment's task nor its project was deleted.
var onTask = `(select true from tasks t
  where t.tenant_id = $1 and t.generation = ` + tasks.generation("$1") + ` and t.id = c.task_id and ` + inProject + `)`

// commentSQL reads a comment ($2) of a tenant ($1).
var commentSQL = `select ` + comments.columns("c.") + ` from comments c
where c.tenant_id = $1 and c.generation = ` + comments.generation("$1") + ` and c.id = $2 and ` + onTask

// Comment reads a comment that wasn't deleted, on a task that wasn't, in a
// project that wasn't.
func (q *Queries) Comment(ctx context.Context, s domain.Scope, id domain.CommentID, f Fresh) (domain.Comment, error) {
	if err := q.await(ctx, s, f, comments.Name, tasks.Name, projects.Name); err != nil {
		return domain.Comment{}, err
	}
	return one(ctx, q, s, "comment", comments.scan(s.Tenant()), commentSQL, s.Tenant().UUID(), id.UUID())
}

// taskThereSQL says whether a tenant ($1) has a task ($2), in a project that
// wasn't deleted.
var taskThereSQL = `select exists (select from tasks t
where t.tenant_id = $1 and t.generation = ` + tasks.generation("$1") + ` and t.id = $2 and ` + inProject + `)`

// commentsSQL lists the comments of a tenant ($1) on a task ($2) after a keyset
// ($3, $4), up to $5.
var commentsSQL = `select ` + comments.columns("c.") + ` from comments c
where c.tenant_id = $1 and c.generation = ` + comments.generation("$1") + ` and c.task_id = $2
  and (c.created_at, c.id) > ($3::timestamptz, $4::uuid)
order by c.created_at, c.id limit $5`

// Comments lists the comments on a task that weren't deleted, by created_at. Of a
// task that isn't there it returns domain.NotFound.
func (q *Queries) Comments(ctx context.Context, s domain.Scope, task domain.TaskID, p Page, f Fresh) ([]domain.Comment, *Keyset, error) {
	if err := q.await(ctx, s, f, comments.Name, tasks.Name, projects.Name); err != nil {
		return nil, nil, err
	}
	var there bool
	look := func(b *pgx.Batch) {
		b.Queue(taskThereSQL, s.Tenant().UUID(), task.UUID()).QueryRow(func(row pgx.Row) error { return row.Scan(&there) })
	}
	after := p.after(firstTime)
	items, next, err := list(ctx, q, s, "comments", p, comments.scan(s.Tenant()), commentKey, look, commentsSQL,
		s.Tenant().UUID(), task.UUID(), after.Value, after.ID, p.limit()+1)
	if err == nil && !there {
		return nil, nil, domain.NotFound("task")
	}
	return items, next, err
}

func commentKey(c domain.Comment) Keyset { return Keyset{Value: timeKey(c.CreatedAt), ID: c.ID.UUID()} }
