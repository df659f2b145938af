package projections

import (
	"context"
	"fmt"
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
	Ignores: slices.Concat(tenantEvents, userEvents, memberEvents, projectEvents, commentEvents, apiKeyEvents, subscriptionEvents),
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

// foundTasksSQL lists the tasks that match docket.search in an order.
func foundTasksSQL(o Order) string {
	return foundSQL(tasks, taskConditions("", inProject), byOrder(taskSortings[o.By], o), 12)
}

var (
	rankedTasksSQL = foundSQL(tasks, taskConditions("", inProject), byRank, 12)
	sampleTasksSQL = sampleSQL(tasks)
)

// projectThereSQL says whether a tenant ($1) has a project ($2).
var projectThereSQL = `select exists (select from projects p
where p.tenant_id = $1 and p.generation = ` + projects.generation("$1") + ` and p.id = $2)`

// Tasks lists the tasks that weren't deleted, in projects that weren't, in an order; those
// that match a search as search_rank.go says, and then order says nothing. Asked for the
// tasks of a project that isn't there, it returns domain.NotFound.
func (q *Queries) Tasks(ctx context.Context, s domain.Scope, filter TaskFilter, order Order, p Page, f Fresh) ([]domain.Task, *Keyset, error) {
	order = order.orDefault()
	by, ok := taskSortings[order.By]
	if !ok {
		return nil, nil, fmt.Errorf("list tasks: no order by %q", order.By)
	}
	read := []string{tasks.Name, projects.Name}
	if filter.Query != nil || filter.Labels != nil {
		read = append(read, search.Name)
	}
	if err := q.await(ctx, s, f, read...); err != nil {
		return nil, nil, err
	}
	there := true
	look := searching[domain.Task]{
		what: "tasks", kind: fulltext.Tasks, model: tasks, sample: sampleTasksSQL,
		ranked: rankedTasksSQL, key: by.key,
		facets: taskFacets(fulltext.ScopeOf(s.Tenant(), fulltext.Tasks), filter),
		args:   filter.args(s.Tenant()),
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
		look.newest, look.key = newestTasks(filter).sql(), taskSortings[ByCreated].key
		items, next, err = look.answer(ctx, q, s, fulltext.Parse(*filter.Query), p)
	case len(filter.Labels) > 0:
		items, next, err = look.labelled(ctx, q, s, p, filter.start(p, order), foundTasksSQL(order), filter.plan(order).sql())
	default:
		items, next, err = look.list(ctx, q, s, p, filter.start(p, order), filter.plan(order).sql())
	}
	if err == nil && !there {
		return nil, nil, domain.NotFound("project")
	}
	return items, next, err
}

// newestTasks is the plan of those that match docket.search, the newest first.
func newestTasks(f TaskFilter) taskPlan {
	o := Order{By: ByCreated, Descending: true}
	return taskPlan{order: o, walk: f.walk(o), matching: true}
}

// taskFacets are what a document must match to be of a task that has one of the labels and
// is of one of the projects, or of a comment on a task of one of the projects.
func taskFacets(in fulltext.Scope, f TaskFilter) []string {
	var list []string
	switch {
	case len(f.Labels) > 0 && f.Query != nil:
		list = append(list, in.LabelsOrComment(f.Labels))
	case len(f.Labels) > 0:
		list = append(list, in.Labels(f.Labels))
	}
	switch {
	case f.ProjectID != nil:
		list = append(list, in.Projects([]domain.ProjectID{*f.ProjectID}))
	case len(f.ProjectIDs) > 0:
		list = append(list, in.Projects(f.ProjectIDs))
	}
	return list
}
