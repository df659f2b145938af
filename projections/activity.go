package projections

import (
	"context"
	"time"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Activity is an item of the activity log: who did what to what, and when.
type Activity struct {
	Seq int64
	At  time.Time
	// ActorID is nil where the system acted.
	ActorID   *domain.UserID
	ActorName string
	// Action is the type of the event.
	Action     string
	EntityType domain.StreamType
	EntityID   uuid.UUID
	ProjectID  *domain.ProjectID
	Summary    string
	Changes    []domain.Change
	// RequestID is empty for what no request asked for.
	RequestID string
}

// activity is the activity log: a row for each event, and none is ever changed.
var activity = define(model[int64, Activity]{
	Name: "activity", FoldVersion: 1, Table: "activity",
	Keys: activityKeys(), Meta: true,
	Fold: func(_ *Activity, e domain.Recorded) (*Activity, error) { return foldActivity(e) },
	Key:  "seq", KeyOf: func(a *Activity) int64 { return a.Seq },
	InsertOnly: true,
	Columns: []column[Activity]{
		instant("at", func(a *Activity) *time.Time { return &a.At }),
		optionalID("actor_id", func(a *Activity) **domain.UserID { return &a.ActorID }),
		text("actor_name", func(a *Activity) *string { return &a.ActorName }),
		text("action", func(a *Activity) *string { return &a.Action }),
		text("entity_type", func(a *Activity) *domain.StreamType { return &a.EntityType }),
		plain("entity_id", "uuid", func(a *Activity) *uuid.UUID { return &a.EntityID }),
		optionalID("project_id", func(a *Activity) **domain.ProjectID { return &a.ProjectID }),
		text("summary", func(a *Activity) *string { return &a.Summary }),
		document("changes", "json", func(a *Activity) *[]domain.Change { return &a.Changes }),
		text("request_id", func(a *Activity) *string { return &a.RequestID }),
	},
})

// activityKeys are those of the types that have a line: an event's own seq.
func activityKeys() map[string]func(domain.Recorded) int64 {
	keys := map[string]func(domain.Recorded) int64{}
	for t := range lines {
		keys[t] = func(e domain.Recorded) int64 { return e.Seq }
	}
	return keys
}

func foldActivity(e domain.Recorded) (*Activity, error) {
	l, err := Describe(e)
	if err != nil {
		return nil, err
	}
	a := &Activity{
		Seq: e.Seq, At: e.At, ActorName: e.ActorName(), Action: e.Event.EventType(),
		EntityType: e.Stream.Type, EntityID: e.Stream.ID, ProjectID: l.ProjectID,
		Summary: l.Summary, Changes: l.Changes, RequestID: e.Meta.RequestID,
	}
	if !e.Actor.IsZero() {
		a.ActorID = &e.Actor
	}
	return a, nil
}

// ActivityFilter narrows the activity log; a nil member asks for nothing.
type ActivityFilter struct {
	ActorID    *domain.UserID
	EntityType *domain.StreamType
	EntityID   *uuid.UUID
	Action     *string
	// From is the earliest time, itself included; To the first one left out.
	From, To *time.Time
	// AfterSeq leaves out all up to this seq: where the page before ended.
	AfterSeq int64
}

// activitySQL lists the activity log of a tenant ($1) of an entity ($2) and an
// actor ($3), with a type of entity ($4) and an action ($5), after a seq ($6),
// from a time ($7) to before another ($8), each any if null, up to $9. The first
// of the conditions is given apart: it decides by which index the log is read.
func activitySQL(by string) string {
	return `select a.seq, ` + activity.columns("a.") + ` from activity a
where a.tenant_id = $1
  and a.generation = (select coalesce(max(g.current), 1) from generations g where g.tenant_id = $1 and g.subscription = 'activity')
  and ` + by + `
  and ($4::text is null or a.entity_type = $4)
  and ($5::text is null or a.action = $5)
  and a.seq > greatest($6::bigint, case when $7::timestamptz is not null then seq_at($1, $7 - interval '1 microsecond') end)
  and a.seq <= least(9223372036854775807, case when $8::timestamptz is not null then seq_at($1, $8 - interval '1 microsecond') end)
order by a.seq limit $9`
}

var (
	allActivitySQL    = activitySQL(`$2::uuid is null and $3::uuid is null`)
	entityActivitySQL = activitySQL(`a.entity_id = $2 and ($3::uuid is null or a.actor_id = $3)`)
	actorActivitySQL  = activitySQL(`$2::uuid is null and a.actor_id = $3`)
)

// Activity lists the activity log, oldest first, up to limit items (DefaultLimit
// if 0). more says whether there are others after the last.
func (q *Queries) Activity(ctx context.Context, s domain.Scope, filter ActivityFilter, limit int, f Fresh) (items []Activity, more bool, err error) {
	if err := q.await(ctx, s, f, activity.Name); err != nil {
		return nil, false, err
	}
	sql := allActivitySQL
	switch {
	case filter.EntityID != nil:
		sql = entityActivitySQL
	case filter.ActorID != nil:
		sql = actorActivitySQL
	}
	p := Page{Limit: limit}
	items, next, err := list(ctx, q, s, "activity", p, scanActivity, func(Activity) Keyset { return Keyset{} }, nil, sql,
		s.Tenant().UUID(), filter.EntityID, optionalUUID(filter.ActorID), optional(filter.EntityType), filter.Action,
		filter.AfterSeq, filter.From, filter.To, p.limit()+1)
	return items, next != nil, err
}

// scanActivity reads a row of activitySQL: the seq comes before the columns.
func scanActivity(row pgx.CollectableRow) (Activity, error) {
	var a Activity
	targets := []any{&a.Seq}
	for _, c := range activity.Columns {
		targets = append(targets, c.target(&a))
	}
	err := row.Scan(targets...)
	return a, err
}
