package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Summary is what the log alone says of how a project stands. Its size doesn't
// depend on how much the project has: tasks are counted when they are asked for.
type Summary struct {
	ProjectID domain.ProjectID
	Status    domain.Status
	// Since is when the present status began.
	Since time.Time
	// Spent is the time in each status that the project was ever in, all stays
	// together, but without the one that goes on.
	Spent map[domain.Status]time.Duration
}

// LastActivity is the last event of a project, its tasks or its comments. A row's seq
// says which it is; all else is read from the event.
type LastActivity struct {
	Seq int64
	At  time.Time
	// ActorID is nil where the system acted.
	ActorID   *domain.UserID
	ActorName string
	// Action is the type of the event.
	Action     string
	EntityType domain.StreamType
	EntityID   uuid.UUID
}

// summaries is the read model of how the projects that weren't deleted stand.
var summaries = define(model[uuid.UUID, Summary]{
	Name: "summaries", FoldVersion: 1, Table: "summaries",
	Keys:    projectKeys(),
	Ignores: slices.Concat(tenantEvents, userEvents, memberEvents, apiKeyEvents, subscriptionEvents),
	Fold:    foldSummary,
	Key:     "project_id", KeyOf: func(s *Summary) uuid.UUID { return s.ProjectID.UUID() },
	Columns: []column[Summary]{
		id("project_id", func(s *Summary) *domain.ProjectID { return &s.ProjectID }),
		text("status", func(s *Summary) *domain.Status { return &s.Status }),
		instant("since", func(s *Summary) *time.Time { return &s.Since }),
		document("spent", func(s *Summary) *map[domain.Status]time.Duration { return &s.Spent }),
	},
})

// projectKeys are those of a model with a row for each project that takes in what
// happens in the project.
func projectKeys() map[string]func(domain.Recorded) uuid.UUID {
	keys := streamKeys(projectEvents)
	for _, t := range slices.Concat(taskEvents, commentEvents) {
		keys[t] = byProject
	}
	return keys
}

// byProject is the project that an event of a task or a comment belongs to; none
// for an event of another Go type.
func byProject(r domain.Recorded) uuid.UUID {
	switch e := r.Event.(type) {
	case domain.TaskCreated:
		return e.ProjectID.UUID()
	case domain.TaskUpdated:
		return e.ProjectID.UUID()
	case domain.TaskDeleted:
		return e.ProjectID.UUID()
	case domain.CommentCreated:
		return e.ProjectID.UUID()
	case domain.CommentUpdated:
		return e.ProjectID.UUID()
	case domain.CommentDeleted:
		return e.ProjectID.UUID()
	}
	return uuid.Nil
}

// foldSummary leaves out what happens to a project that it hasn't: the one of an
// event that was skipped.
func foldSummary(row *Summary, r domain.Recorded) (*Summary, error) {
	switch e := r.Event.(type) {
	case domain.ProjectCreated:
		return &Summary{ProjectID: e.ProjectID, Status: domain.Draft, Since: r.At, Spent: map[domain.Status]time.Duration{}}, nil
	case domain.ProjectDeleted:
		return nil, nil
	case domain.ProjectStatusChanged:
		if row == nil {
			return nil, nil
		}
		next := &Summary{ProjectID: row.ProjectID, Status: e.To, Since: r.At, Spent: maps.Clone(row.Spent)}
		next.Spent[row.Status] += r.At.Sub(row.Since)
		return next, nil
	}
	return row, nil // with the event's seq
}

// ProjectSummary is how a project stands at a time.
type ProjectSummary struct {
	Summary
	Last LastActivity
	// Now is the database's time when it was read. Spent goes up to it, and Overdue
	// is by its day in UTC.
	Now time.Time
	// Tasks are by status; every status is there.
	Tasks map[domain.TaskStatus]int64
	// Overdue are the tasks that were due before today and aren't done.
	Overdue int64
}

// summarySQL reads the summary of a project ($2) of a tenant ($1), its last event, and
// the time.
var summarySQL = `select now(), s.seq, e.occurred_at, e.actor_id, e.meta, e.type, e.stream_type, e.stream_id, ` + summaries.columns("s.") + `
from summaries s, lateral (select * from events where tenant_id = $1 and seq = s.seq limit 1) as e
where s.tenant_id = $1 and s.project_id = $2
  and s.generation = ` + summaries.generation("$1")

// projectTaskCountsSQL counts the tasks of a project ($2) of a tenant ($1): those
// that are overdue unless their status is $3, and then each status of
// domain.TaskStatuses. Nothing needs the order but the planner, which without
// statistics would take the key's index and read the whole tenant.
var projectTaskCountsSQL = `select count(*) filter (where t.status <> $3 and t.due_date < (select to_char(now() at time zone 'UTC', 'YYYY-MM-DD')))` +
	eachTaskStatus() + `
from (select t.status, t.due_date from tasks t
  where t.tenant_id = $1 and t.generation = ` + tasks.generation("$1") + ` and t.project_id = $2
  order by t.created_at, t.id) as t`

func eachTaskStatus() string {
	var sql string
	for _, s := range domain.TaskStatuses() {
		sql += `, count(*) filter (where t.status = '` + string(s) + `')`
	}
	return sql
}

// ProjectSummary summarises a project that wasn't deleted. Where the summaries haven't
// come to the project yet, the error is domain.CodeReadModelLagging.
func (q *Queries) ProjectSummary(ctx context.Context, s domain.Scope, id domain.ProjectID, f Fresh) (ProjectSummary, error) {
	if err := q.await(ctx, s, f, summaries.Name, tasks.Name, projects.Name); err != nil {
		return ProjectSummary{}, err
	}
	var (
		there, found bool
		out          = ProjectSummary{Tasks: map[domain.TaskStatus]int64{}}
	)
	err := q.scoped(ctx, s, func(b *pgx.Batch) {
		t := s.Tenant().UUID()
		b.Queue(projectThereSQL, t, id.UUID()).QueryRow(func(row pgx.Row) error { return row.Scan(&there) })
		b.Queue(summarySQL, t, id.UUID()).QueryRow(func(row pgx.Row) error {
			err := out.scan(row)
			found = err == nil
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
		b.Queue(projectTaskCountsSQL, t, id.UUID(), string(domain.Done)).QueryRow(out.count)
	})
	switch {
	case err != nil:
		return ProjectSummary{}, fmt.Errorf("read summary: %w", err)
	case !there:
		return ProjectSummary{}, domain.NotFound("project")
	case !found: // newer than the summaries have come
		return ProjectSummary{}, domain.Refuse(domain.CodeReadModelLagging, "the project is too new to be summarised")
	}
	// The clock of the log never goes back; the database's may.
	out.Spent[out.Status] += max(0, out.Now.Sub(out.Since))
	return out, nil
}

// scan reads a row of summarySQL.
func (s *ProjectSummary) scan(row pgx.Row) error {
	var meta json.RawMessage
	targets := append([]any{instantTarget{&s.Now}}, s.Last.targets(&meta)...)
	for _, c := range summaries.Columns {
		targets = append(targets, c.target(&s.Summary))
	}
	if err := row.Scan(targets...); err != nil {
		return err
	}
	return s.Last.named(meta)
}

// targets are for an event's seq, time, actor, meta, type and stream.
func (l *LastActivity) targets(meta *json.RawMessage) []any {
	return []any{&l.Seq, instantTarget{&l.At}, toOptionalID(&l.ActorID), meta, &l.Action, textTarget[domain.StreamType]{&l.EntityType}, &l.EntityID}
}

// named reads the actor's name.
func (l *LastActivity) named(meta json.RawMessage) error {
	m, err := domain.DecodeMeta(meta)
	l.ActorName = domain.Recorded{Meta: m}.ActorName()
	if errors.Is(err, domain.ErrUnknownEvent) {
		return nil // a newer version's, without a name
	}
	return err
}

// count reads the row of projectTaskCountsSQL.
func (s *ProjectSummary) count(row pgx.Row) error {
	statuses := domain.TaskStatuses()
	counts := make([]int64, len(statuses))
	targets := []any{&s.Overdue}
	for i := range counts {
		targets = append(targets, &counts[i])
	}
	if err := row.Scan(targets...); err != nil {
		return err
	}
	for i, status := range statuses {
		s.Tasks[status] = counts[i]
	}
	return nil
}
