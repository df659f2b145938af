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
	Ignores: slices.Concat(tenantEvents, userEvents, memberEvents, taskEvents, commentEvents, apiKeyEvents, subscriptionEvents),
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

// ProjectFilter narrows a list of projects, as TaskFilter does.
type ProjectFilter struct {
	// Query is a search (fulltext.Query).
	Query        *string             `json:"q,omitzero"`
	Statuses     []domain.Status     `json:"statuses,omitzero"`
	OwnerIDs     []domain.UserID     `json:"owners,omitzero"`
	CreatedBy    []domain.UserID     `json:"created_by,omitzero"`
	Visibilities []domain.Visibility `json:"visibilities,omitzero"`
	Due          DueFilter           `json:"due,omitzero"`
	// UpdatedSince leaves out what hasn't changed since.
	UpdatedSince *time.Time `json:"updated_since,omitzero"`
}

// args are the arguments of projectConditions, the tenant first.
func (f ProjectFilter) args(t domain.TenantID) []any {
	var after, before, since *string
	if f.Due.asked() {
		from, to := f.Due.bounds()
		after, before = &from, &to
	}
	if f.UpdatedSince != nil {
		since = new(timeKey(*f.UpdatedSince))
	}
	return []any{t.UUID(), f.Statuses, uuids(f.OwnerIDs), uuids(f.CreatedBy), f.Visibilities, after, before, since}
}

func (f ProjectFilter) fits(p *domain.Project) bool {
	return among(f.Statuses, p.Status) && among(f.OwnerIDs, p.OwnerID) && among(f.CreatedBy, p.CreatedBy) &&
		among(f.Visibilities, p.Visibility) && f.Due.fits(p.DueDate) && since(f.UpdatedSince, p.UpdatedAt)
}

var projectSortings = map[Sort]sorting[domain.Project]{
	ByCreated: {times, []string{"t.created_at"}, func(p *domain.Project) place { return place{at: p.CreatedAt, id: p.ID.UUID()} }},
	ByUpdated: {times, []string{"t.updated_at"}, func(p *domain.Project) place { return place{at: p.UpdatedAt, id: p.ID.UUID()} }},
	ByDue:     {texts, []string{dueKey}, func(p *domain.Project) place { return place{text: dueValue(p.DueDate), id: p.ID.UUID()} }},
	ByName:    {texts, []string{"t.name"}, func(p *domain.Project) place { return place{text: p.Name, id: p.ID.UUID()} }},
}

// projectConditions are those of statuses ($2), owners ($3), creators ($4) and visibilities
// ($5), of a due date between two sort values ($6, $7), and of a time that the project has
// changed since ($8); each any if null.
const projectConditions = `($2::text[] is null or t.status = any ($2::text[]))
  and ($3::uuid[] is null or t.owner_id = any ($3::uuid[]))
  and ($4::uuid[] is null or t.created_by = any ($4::uuid[]))
  and ($5::text[] is null or t.visibility = any ($5::text[]))
  and ($6::text is null or ` + dueKey + ` > $6::text)
  and ($7::text is null or ` + dueKey + ` < $7::text)
  and ($8::timestamptz is null or t.updated_at >= $8::timestamptz)`

// projectsSQL lists the projects of a tenant ($1) under projectConditions after a
// keyset ($9, $10), up to $11, in an order.
func projectsSQL(o Order) string {
	s := projectSortings[o.By]
	return `select ` + projects.columns("t.") + ` from projects t
where t.tenant_id = $1 and t.generation = ` + projects.generation("$1") + ` and ` + projectConditions + `
  and ` + s.after(o, "$9", "$10") + `
order by ` + s.orderBy(o) + ` limit $11`
}

var (
	// newestProjectsSQL is projectsSQL of those that match docket.search, the newest first.
	newestProjectsSQL = `select ` + projects.columns("t.") + ` from projects t
where t.tenant_id = $1 and t.generation = ` + projects.generation("$1") + ` and ` + projectConditions + `
  and (t.created_at, t.id) < ($9::timestamptz, $10::uuid) and ` + matches + `
order by t.created_at desc, t.id desc limit $11`
	rankedProjectsSQL = foundSQL(projects, projectConditions, byRank, 9)
	sampleProjectsSQL = sampleSQL(projects)
)

// projectListings are the statements by their orders.
var projectListings = func() map[Order]string {
	list := map[Order]string{}
	for by := range projectSortings {
		for _, descending := range []bool{false, true} {
			o := Order{By: by, Descending: descending}
			list[o] = projectsSQL(o)
		}
	}
	return list
}()

// Projects lists the projects that weren't deleted, in an order; those that match a search
// as search_rank.go says, and then order says nothing.
func (q *Queries) Projects(ctx context.Context, s domain.Scope, filter ProjectFilter, order Order, p Page, f Fresh) ([]domain.Project, *Keyset, error) {
	order = order.orDefault()
	by, ok := projectSortings[order.By]
	if !ok {
		return nil, nil, fmt.Errorf("list projects: no order by %q", order.By)
	}
	look := searching[domain.Project]{
		what: "projects", kind: fulltext.Projects, model: projects, sample: sampleProjectsSQL,
		ranked: rankedProjectsSQL, newest: newestProjectsSQL, key: by.key, args: filter.args(s.Tenant()),
	}
	if filter.Query != nil {
		if err := q.await(ctx, s, f, projects.Name, search.Name); err != nil {
			return nil, nil, err
		}
		look.key = projectSortings[ByCreated].key
		return look.answer(ctx, q, s, fulltext.Parse(*filter.Query), p)
	}
	if err := q.await(ctx, s, f, projects.Name); err != nil {
		return nil, nil, err
	}
	return look.list(ctx, q, s, p, by.from(p, order), projectListings[order])
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
	items, next := rows.page(p.limit(), projectSortings[ByCreated].key)
	return items, next, nil
}
