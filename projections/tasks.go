package projections

import (
	"context"
	"slices"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// tasks is the read model of the tasks that weren't deleted. Those of a deleted
// project stay in it; the queries leave them out.
var tasks = define(model[uuid.UUID, domain.Task]{
	Name: "tasks", FoldVersion: 1, Table: "tasks",
	Keys:    streamKeys(taskEvents),
	Ignores: slices.Concat(tenantEvents, userEvents, memberEvents, projectEvents, commentEvents, subscriptionEvents),
	Fold:    byEvolve(domain.Task.Evolve, func(t domain.Task) bool { return !t.Deleted }),
	Key:     "id", KeyOf: func(t *domain.Task) uuid.UUID { return t.ID.UUID() },
	Columns: []column[domain.Task]{
		id("id", func(t *domain.Task) *domain.TaskID { return &t.ID }),
		id("project_id", func(t *domain.Task) *domain.ProjectID { return &t.ProjectID }),
		text("title", func(t *domain.Task) *string { return &t.Title }),
		optionalText("description", func(t *domain.Task) **string { return &t.Description }),
		text("status", func(t *domain.Task) *domain.TaskStatus { return &t.Status }),
		text("priority", func(t *domain.Task) *domain.Priority { return &t.Priority }),
		optionalID("assignee_id", func(t *domain.Task) **domain.UserID { return &t.AssigneeID }),
		document("labels", "jsonb", func(t *domain.Task) *[]string { return &t.Labels }),
		optionalText("due_date", func(t *domain.Task) **domain.Date { return &t.DueDate }),
		id("created_by", func(t *domain.Task) *domain.UserID { return &t.CreatedBy }),
		instant("created_at", func(t *domain.Task) *time.Time { return &t.CreatedAt }),
		instant("updated_at", func(t *domain.Task) *time.Time { return &t.UpdatedAt }),
		plain("version", "integer", func(t *domain.Task) *int { return &t.Version }),
	},
})

// tasksGeneration is the generation of tasks that a tenant ($1) reads.
const tasksGeneration = `(select coalesce(max(g.current), 1) from generations g where g.tenant_id = $1 and g.subscription = 'tasks')`

// inProject is true where the task's project wasn't deleted. As a scalar probe it
// is looked up by key for each task on the page, whatever the planner thinks of
// the tables' sizes.
const inProject = `(select true from projects p
  where p.tenant_id = $1 and p.generation = ` + projectsGeneration + ` and p.id = t.project_id)`

// taskSQL reads a task ($2) of a tenant ($1).
var taskSQL = `select ` + tasks.columns("t.") + ` from tasks t
where t.tenant_id = $1 and t.generation = ` + tasksGeneration + ` and t.id = $2 and ` + inProject

// Task reads a task that wasn't deleted, in a project that wasn't.
func (q *Queries) Task(ctx context.Context, s domain.Scope, id domain.TaskID, f Fresh) (domain.Task, error) {
	if err := q.await(ctx, s, f, tasks.Name, projects.Name); err != nil {
		return domain.Task{}, err
	}
	return one(ctx, q, s, "task", tasks.scan(s.Tenant()), taskSQL, s.Tenant().UUID(), id.UUID())
}

// TaskFilter narrows a list of tasks; a nil member asks for nothing.
type TaskFilter struct {
	ProjectID  *domain.ProjectID
	Status     *domain.TaskStatus
	AssigneeID *domain.UserID
	Priority   *domain.Priority
	// Label is one that a task must have, among others.
	Label *string
	// DueBefore leaves out what is due on that day or later, or has no due date.
	DueBefore *domain.Date
}

// tasksSQL lists the tasks of a tenant ($1) of a project ($2) and an assignee
// ($3), with a status ($4), priority ($5) and label ($6), due before a day ($7),
// each any if null, after a keyset ($8, $9), up to $10. The first of the conditions
// is given apart: it decides by which index the tasks are read in order.
func tasksSQL(by string) string {
	return `select ` + tasks.columns("t.") + ` from tasks t
where t.tenant_id = $1 and t.generation = ` + tasksGeneration + ` and ` + by + `
  and ($4::text is null or t.status = $4)
  and ($5::text is null or t.priority = $5)
  and ($6::text is null or t.labels ? $6)
  and ($7::text is null or t.due_date < $7)
  and (t.created_at, t.id) > ($8::timestamptz, $9::uuid)
  and ` + inProject + `
order by t.created_at, t.id limit $10`
}

var (
	allTasksSQL = tasksSQL(`$2::uuid is null and $3::uuid is null`)
	// The project's tasks, whoever they are assigned to or to one assignee.
	projectTasksSQL  = tasksSQL(`t.project_id = $2 and ($3::uuid is null or t.assignee_id = $3)`)
	assigneeTasksSQL = tasksSQL(`$2::uuid is null and t.assignee_id = $3`)
)

// projectThereSQL says whether a tenant ($1) has a project ($2).
const projectThereSQL = `select exists (select from projects p
where p.tenant_id = $1 and p.generation = ` + projectsGeneration + ` and p.id = $2)`

// Tasks lists the tasks that weren't deleted, in projects that weren't, by
// created_at. Asked for the tasks of a project that isn't there, it returns
// domain.NotFound.
func (q *Queries) Tasks(ctx context.Context, s domain.Scope, filter TaskFilter, p Page, f Fresh) ([]domain.Task, *Keyset, error) {
	if err := q.await(ctx, s, f, tasks.Name, projects.Name); err != nil {
		return nil, nil, err
	}
	var (
		sql   = allTasksSQL
		there = true
		look  func(*pgx.Batch)
	)
	switch {
	case filter.ProjectID != nil:
		sql = projectTasksSQL
		look = func(b *pgx.Batch) {
			b.Queue(projectThereSQL, s.Tenant().UUID(), filter.ProjectID.UUID()).QueryRow(func(row pgx.Row) error {
				return row.Scan(&there)
			})
		}
	case filter.AssigneeID != nil:
		sql = assigneeTasksSQL
	}
	after := p.after(firstTime)
	items, next, err := list(ctx, q, s, "tasks", p, tasks.scan(s.Tenant()), taskKey, look, sql,
		s.Tenant().UUID(), optionalUUID(filter.ProjectID), optionalUUID(filter.AssigneeID),
		optional(filter.Status), optional(filter.Priority), filter.Label, optional(filter.DueBefore),
		after.Value, after.ID, p.limit()+1)
	if err == nil && !there {
		return nil, nil, domain.NotFound("project")
	}
	return items, next, err
}

func taskKey(t domain.Task) Keyset { return Keyset{Value: timeKey(t.CreatedAt), ID: t.ID.UUID()} }
