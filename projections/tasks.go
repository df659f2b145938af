package projections

import (
	"context"
	"slices"
	"time"

	"docket/domain"
	"docket/projections/fulltext"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// tasks is the read model of the tasks that weren't deleted. Those of a deleted
// project stay in it; the queries leave them out.
var tasks = define(model[uuid.UUID, domain.Task]{
	Name: "tasks", FoldVersion: 1, Table: "tasks",
	Keys:    streamKeys(taskEvents),
	Creates: []string{"task.created"},
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
		document("labels", func(t *domain.Task) *[]string { return &t.Labels }),
		optionalText("due_date", func(t *domain.Task) **domain.Date { return &t.DueDate }),
		id("created_by", func(t *domain.Task) *domain.UserID { return &t.CreatedBy }),
		instant("created_at", func(t *domain.Task) *time.Time { return &t.CreatedAt }),
		instant("updated_at", func(t *domain.Task) *time.Time { return &t.UpdatedAt }),
		plain("version", "integer", func(t *domain.Task) *int { return &t.Version }),
	},
})

// inProject is true where the task's project wasn't deleted. As a scalar probe it
// is looked up by key for each task on the page, whatever the planner thinks of
// the tables' sizes.
var inProject = `(select true from projects p
  where p.tenant_id = $1 and p.generation = ` + projects.generation("$1") + ` and p.id = t.project_id)`

// taskSQL reads a task ($2) of a tenant ($1).
var taskSQL = `select ` + tasks.columns("t.") + ` from tasks t
where t.tenant_id = $1 and t.generation = ` + tasks.generation("$1") + ` and t.id = $2 and ` + inProject

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
	// Query is a search (fulltext.Query).
	Query *string
	// Label is one that a task must have, among others.
	Label *string
	// DueBefore leaves out what is due on that day or later, or has no due date.
	DueBefore *domain.Date
}

// taskConditions are those of a project ($2), an assignee ($3), a status ($4), a
// priority ($5), a label ($6) and a day that it is due before ($7), each any if null,
// and of a project that is there. What decides by which index the tasks are read in
// order is given apart. Where there is one more (also), it is asked
// before the project is looked up.
func taskConditions(by, also string) string {
	if also == "" {
		also = "true"
	}
	return by + `
  and ($4::text is null or t.status = $4)
  and ($5::text is null or t.priority = $5)
  and ($6::text is null or t.labels ? $6)
  and ($7::text is null or t.due_date < $7)
  and case when ` + also + ` then ` + inProject + ` end`
}

const (
	ofAll = `$2::uuid is null and $3::uuid is null`
	// Those that have a status, or no particular one and a priority.
	ofStatus   = ofAll + ` and t.status = $4`
	ofPriority = ofAll + ` and $4::text is null and t.priority = $5`
	// The project's tasks, whoever they are assigned to or to one assignee.
	ofProject  = `t.project_id = $2 and ($3::uuid is null or t.assignee_id = $3)`
	ofAssignee = `$2::uuid is null and t.assignee_id = $3`
	ofAny      = `($2::uuid is null or t.project_id = $2) and ($3::uuid is null or t.assignee_id = $3)`
)

// tasksSQL lists the tasks of a tenant ($1) under taskConditions after a keyset ($8,
// $9), up to $10.
func tasksSQL(by string) string {
	return `select ` + tasks.columns("t.") + ` from tasks t
where t.tenant_id = $1 and t.generation = ` + tasks.generation("$1") + ` and ` + taskConditions(by, "") + `
  and (t.created_at, t.id) > ($8::timestamptz, $9::uuid)
order by t.created_at, t.id limit $10`
}

// tasksFromNewest is tasksSQL of those that match docket.search, the newest first.
func tasksFromNewest(by string) string {
	return `select ` + tasks.columns("t.") + ` from tasks t
where t.tenant_id = $1 and t.generation = ` + tasks.generation("$1") + ` and ` + taskConditions(by, matches) + `
  and (t.created_at, t.id) < ($8::timestamptz, $9::uuid)
order by t.created_at desc, t.id desc limit $10`
}

var (
	allTasksSQL            = tasksSQL(ofAll)
	projectTasksSQL        = tasksSQL(ofProject)
	assigneeTasksSQL       = tasksSQL(ofAssignee)
	statusTasksSQL         = tasksSQL(ofStatus)
	priorityTasksSQL       = tasksSQL(ofPriority)
	newestAllTasksSQL      = tasksFromNewest(ofAll)
	newestProjectTasksSQL  = tasksFromNewest(ofProject)
	newestAssigneeTasksSQL = tasksFromNewest(ofAssignee)
	newestStatusTasksSQL   = tasksFromNewest(ofStatus)
	newestPriorityTasksSQL = tasksFromNewest(ofPriority)
	rankedTasksSQL         = foundSQL(tasks, taskConditions(ofAny, ""), byRank, 8)
	labelledTasksSQL       = foundSQL(tasks, taskConditions(ofAny, ""), byCreated, 8)
	sampleTasksSQL         = sampleSQL(tasks)
)

// projectThereSQL says whether a tenant ($1) has a project ($2).
var projectThereSQL = `select exists (select from projects p
where p.tenant_id = $1 and p.generation = ` + projects.generation("$1") + ` and p.id = $2)`

// Tasks lists the tasks that weren't deleted, in projects that weren't, by
// created_at; those that match a search as search_rank.go says. Asked for the tasks of a
// project that isn't there, it returns domain.NotFound.
func (q *Queries) Tasks(ctx context.Context, s domain.Scope, filter TaskFilter, p Page, f Fresh) ([]domain.Task, *Keyset, error) {
	read := []string{tasks.Name, projects.Name}
	if filter.Query != nil || filter.Label != nil {
		read = append(read, search.Name)
	}
	if err := q.await(ctx, s, f, read...); err != nil {
		return nil, nil, err
	}
	sql, newest := allTasksSQL, newestAllTasksSQL
	switch {
	case filter.ProjectID != nil:
		sql, newest = projectTasksSQL, newestProjectTasksSQL
	case filter.AssigneeID != nil:
		sql, newest = assigneeTasksSQL, newestAssigneeTasksSQL
	case filter.Status != nil:
		sql, newest = statusTasksSQL, newestStatusTasksSQL
	case filter.Priority != nil:
		sql, newest = priorityTasksSQL, newestPriorityTasksSQL
	}
	there := true
	look := searching[domain.Task]{
		what: "tasks", kind: fulltext.Tasks, model: tasks, sample: sampleTasksSQL,
		ranked: rankedTasksSQL, newest: newest, key: taskKey,
		facets: taskFacets(fulltext.ScopeOf(s.Tenant(), fulltext.Tasks), filter),
		args: []any{
			s.Tenant().UUID(), optionalUUID(filter.ProjectID), optionalUUID(filter.AssigneeID),
			optional(filter.Status), optional(filter.Priority), filter.Label, optional(filter.DueBefore),
		},
	}
	if filter.ProjectID != nil {
		look.also = func(b *pgx.Batch) {
			b.Queue(projectThereSQL, s.Tenant().UUID(), filter.ProjectID.UUID()).QueryRow(func(row pgx.Row) error {
				return row.Scan(&there)
			})
		}
	}
	var (
		items []domain.Task
		next  *Keyset
		err   error
	)
	switch {
	case filter.Query != nil:
		items, next, err = look.answer(ctx, q, s, fulltext.Parse(*filter.Query), p)
	case filter.Label != nil:
		items, next, err = look.labelled(ctx, q, s, p, labelledTasksSQL, sql)
	default:
		items, next, err = look.list(ctx, q, s, p, sql)
	}
	if err == nil && !there {
		return nil, nil, domain.NotFound("project")
	}
	return items, next, err
}

// taskFacets are the lexemes that a task's document must have to have a label and a
// project.
func taskFacets(in fulltext.Scope, f TaskFilter) []string {
	var list []string
	if f.Label != nil {
		list = append(list, in.Label(*f.Label))
	}
	if f.ProjectID != nil {
		list = append(list, in.Project(*f.ProjectID))
	}
	return list
}

func taskKey(t domain.Task) Keyset { return Keyset{Value: timeKey(t.CreatedAt), ID: t.ID.UUID()} }
