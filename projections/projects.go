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

// projects is the read model of the projects that weren't deleted.
var projects = define(model[uuid.UUID, domain.Project]{
	Name: "projects", FoldVersion: 2, Table: "projects",
	Keys:    streamKeys(projectEvents),
	Creates: []string{"project.created"},
	Ignores: slices.Concat(tenantEvents, userEvents, memberEvents, taskEvents, commentEvents, subscriptionEvents),
	Fold:    byEvolve(domain.Project.Evolve, domain.Project.Exists),
	Key:     "id", KeyOf: func(p *domain.Project) uuid.UUID { return p.ID.UUID() },
	Columns: []column[domain.Project]{
		id("id", func(p *domain.Project) *domain.ProjectID { return &p.ID }),
		text("name", func(p *domain.Project) *string { return &p.Name }),
		optionalText("description", func(p *domain.Project) **string { return &p.Description }),
		text("status", func(p *domain.Project) *domain.Status { return &p.Status }),
		text("visibility", func(p *domain.Project) *domain.Visibility { return &p.Visibility }),
		optionalText("due_date", func(p *domain.Project) **domain.Date { return &p.DueDate }),
		id("owner_id", func(p *domain.Project) *domain.UserID { return &p.OwnerID }),
		id("created_by", func(p *domain.Project) *domain.UserID { return &p.CreatedBy }),
		idOrNone("submitted_by", func(p *domain.Project) *domain.UserID { return &p.SubmittedBy }),
		document("edited_by", func(p *domain.Project) *[]domain.UserID { return &p.EditedBy }),
		instant("created_at", func(p *domain.Project) *time.Time { return &p.CreatedAt }),
		instant("updated_at", func(p *domain.Project) *time.Time { return &p.UpdatedAt }),
		plain("version", "integer", func(p *domain.Project) *int { return &p.Version }),
	},
})

// projectSQL reads a project ($2) of a tenant ($1).
var projectSQL = `select ` + projects.columns("p.") + ` from projects p
where p.tenant_id = $1 and p.generation = ` + projects.generation("$1") + ` and p.id = $2`

// Project reads a project that wasn't deleted.
func (q *Queries) Project(ctx context.Context, s domain.Scope, id domain.ProjectID, f Fresh) (domain.Project, error) {
	if err := q.await(ctx, s, f, projects.Name); err != nil {
		return domain.Project{}, err
	}
	return one(ctx, q, s, "project", projects.scan(s.Tenant()), projectSQL, s.Tenant().UUID(), id.UUID())
}

// ProjectFilter narrows a list of projects; a nil member asks for nothing.
type ProjectFilter struct {
	// Query is a search (fulltext.Query).
	Query      *string
	Status     *domain.Status
	OwnerID    *domain.UserID
	Visibility *domain.Visibility
}

// ProjectSort is what projects are ordered by.
type ProjectSort string

// The orders of projects. The id decides between equals. Names sort by code point.
const (
	ByCreated ProjectSort = "created_at"
	ByUpdated ProjectSort = "updated_at"
	ByName    ProjectSort = "name"
)

// ProjectOrder is an order and its direction. The zero value is ByCreated, ascending.
type ProjectOrder struct {
	By         ProjectSort
	Descending bool
}

// projectConditions are those of a status ($2), an owner ($3) and a visibility ($4),
// each any if null.
const projectConditions = `($2::text is null or t.status = $2)
  and ($3::uuid is null or t.owner_id = $3)
  and ($4::text is null or t.visibility = $4)`

// projectsSQL lists the projects of a tenant ($1) under projectConditions after a
// keyset ($5, $6), up to $7. It is made for one column, its type, and one direction.
func projectsSQL(column, typ, beyond, direction string) string {
	return `select ` + projects.columns("t.") + ` from projects t
where t.tenant_id = $1 and t.generation = ` + projects.generation("$1") + ` and ` + projectConditions + `
  and (t.` + column + `, t.id) ` + beyond + ` ($5::` + typ + `, $6::uuid)
order by t.` + column + ` ` + direction + `, t.id ` + direction + ` limit $7`
}

var (
	// newestProjectsSQL is projectsSQL of those that match docket.search, the newest first.
	newestProjectsSQL = `select ` + projects.columns("t.") + ` from projects t
where t.tenant_id = $1 and t.generation = ` + projects.generation("$1") + ` and ` + projectConditions + `
  and (t.created_at, t.id) < ($5::timestamptz, $6::uuid) and ` + matches + `
order by t.created_at desc, t.id desc limit $7`
	rankedProjectsSQL = foundSQL(projects, projectConditions, byRank, 5)
	sampleProjectsSQL = sampleSQL(projects)
)

// listing is one order of a list: its statement, where it begins, and the place of an item.
type listing[R any] struct {
	sql   string
	start Keyset
	key   func(R) Keyset
}

func projectCreatedKey(p domain.Project) Keyset {
	return Keyset{Value: timeKey(p.CreatedAt), ID: p.ID.UUID()}
}

func projectUpdatedKey(p domain.Project) Keyset {
	return Keyset{Value: timeKey(p.UpdatedAt), ID: p.ID.UUID()}
}

func projectNameKey(p domain.Project) Keyset { return Keyset{Value: p.Name, ID: p.ID.UUID()} }

var projectListings = map[ProjectOrder]listing[domain.Project]{
	{By: ByCreated}:                   {projectsSQL("created_at", "timestamptz", ">", "asc"), firstTime, projectCreatedKey},
	{By: ByCreated, Descending: true}: {projectsSQL("created_at", "timestamptz", "<", "desc"), lastTime, projectCreatedKey},
	{By: ByUpdated}:                   {projectsSQL("updated_at", "timestamptz", ">", "asc"), firstTime, projectUpdatedKey},
	{By: ByUpdated, Descending: true}: {projectsSQL("updated_at", "timestamptz", "<", "desc"), lastTime, projectUpdatedKey},
	{By: ByName}:                      {projectsSQL("name", "text", ">", "asc"), firstText, projectNameKey},
	{By: ByName, Descending: true}:    {projectsSQL("name", "text", "<", "desc"), lastText, projectNameKey},
}

// Projects lists the projects that weren't deleted; those that match a search as
// search_rank.go says, and then order says nothing.
func (q *Queries) Projects(ctx context.Context, s domain.Scope, filter ProjectFilter, order ProjectOrder, p Page, f Fresh) ([]domain.Project, *Keyset, error) {
	if order.By == "" {
		order.By = ByCreated
	}
	l, ok := projectListings[order]
	if !ok {
		return nil, nil, fmt.Errorf("list projects: no order by %q", order.By)
	}
	args := []any{s.Tenant().UUID(), optional(filter.Status), optionalUUID(filter.OwnerID), optional(filter.Visibility)}
	if filter.Query != nil {
		if err := q.await(ctx, s, f, projects.Name, search.Name); err != nil {
			return nil, nil, err
		}
		return searching[domain.Project]{
			what: "projects", kind: fulltext.Projects, model: projects, sample: sampleProjectsSQL,
			ranked: rankedProjectsSQL, newest: newestProjectsSQL, key: projectCreatedKey, args: args,
		}.answer(ctx, q, s, fulltext.Parse(*filter.Query), p)
	}
	if err := q.await(ctx, s, f, projects.Name); err != nil {
		return nil, nil, err
	}
	after := p.after(l.start)
	return list(ctx, q, s, "projects", p, projects.scan(s.Tenant()), l.key, nil, l.sql,
		append(args, after.Value, after.ID, p.limit()+1)...)
}

// catalogSQL lists the public projects of a tenant ($1) after a keyset ($2, $3), up to $4.
var catalogSQL = `select ` + projects.columns("p.") + ` from projects p
where p.tenant_id = $1 and p.generation = ` + projects.generation("$1") + ` and p.visibility = 'public'
  and (p.created_at, p.id) > ($2::timestamptz, $3::uuid)
order by p.created_at, p.id limit $4`

// Catalog lists a tenant's public projects, by created_at. It is the one query
// that asks for no scope: what it answers is for everyone. A tenant that isn't
// there has none.
func (q *Queries) Catalog(ctx context.Context, t domain.TenantID, p Page) ([]domain.Project, *Keyset, error) {
	var rows pageRows[domain.Project]
	after := p.after(firstTime)
	err := q.inTenant(ctx, t, func(b *pgx.Batch) {
		b.Queue(catalogSQL, t.UUID(), after.Value, after.ID, p.limit()+1).Query(rows.into(projects.scan(t)))
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list catalog: %w", err)
	}
	items, next := rows.page(p.limit(), projectCreatedKey)
	return items, next, nil
}
