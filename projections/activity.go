package projections

import (
	"context"
	"errors"
	"time"

	"docket/domain"
	"docket/eventstore"

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

// logged is a row of the activity log: the fields that its filters use. A read renders
// everything else from the event itself, as a history does. The text is thus stored once,
// a change of its wording applies to past events too, and a name that was made unreadable
// is unreadable here.
type logged struct {
	Seq int64
	// ActorID is nil where the system acted.
	ActorID    *domain.UserID
	Action     string
	EntityType domain.StreamType
}

// activity is the activity log: a row for each event, and none is ever changed.
var activity = define(model[int64, logged]{
	Name: "activity", FoldVersion: 1, Table: "activity",
	Keys: activityKeys(),
	Fold: foldActivity,
	Key:  "seq", KeyOf: func(l *logged) int64 { return l.Seq },
	InsertOnly: true,
	Columns: []column[logged]{
		optionalID("actor_id", func(l *logged) **domain.UserID { return &l.ActorID }),
		text("action", func(l *logged) *string { return &l.Action }),
		text("entity_type", func(l *logged) *domain.StreamType { return &l.EntityType }),
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

func foldActivity(_ *logged, e domain.Recorded) (*logged, error) {
	return &logged{Seq: e.Seq, ActorID: actorOf(e), Action: e.Event.EventType(), EntityType: e.Stream.Type}, nil
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

// loggedSQL finds the activity log of a tenant ($1) and an actor ($3), with a type of
// entity ($4) and an action ($5), after a seq ($6), from a time ($7) to before another
// ($8), each any if null, up to $9, and reads the events. The condition on $3 is given
// apart: it decides by which index the log is read. The limit of 1 keeps the planner
// from any other way than one look-up for each line.
func loggedSQL(by string) string {
	return `select e.* from (select a.seq from activity a
  where a.tenant_id = $1 and a.generation = ` + activity.generation("$1") + `
    and $2::uuid is null and ` + by + `
    and ($4::text is null or a.entity_type = $4)
    and ($5::text is null or a.action = $5)
    and ` + seqsWithin("a.seq") + `
  order by a.seq limit $9) as l, lateral (
  select ` + eventstore.Columns + ` from events where tenant_id = $1 and seq = l.seq limit 1) as e
order by l.seq`
}

// seqsWithin are the conditions on a seq: after another ($6), and by the times $7 and $8.
func seqsWithin(seq string) string {
	return seq + ` > greatest($6::bigint, case when $7::timestamptz is not null then seq_at($1, $7 - interval '1 microsecond') end)
    and ` + seq + ` <= least(9223372036854775807, case when $8::timestamptz is not null then seq_at($1, $8 - interval '1 microsecond') end)`
}

var (
	allActivitySQL   = loggedSQL(`$3::uuid is null`)
	actorActivitySQL = loggedSQL(`a.actor_id = $3`)
	// entityActivitySQL is loggedSQL of an entity ($2): of a stream, whose events have an
	// index of their own. The page before ended with one of them, so none before that is read.
	entityActivitySQL = `select ` + eventstore.Columns + ` from events e
where e.tenant_id = $1 and e.stream_id = $2
  and e.version > coalesce((select p.version from events p where p.tenant_id = $1 and p.seq = $6 and p.stream_id = $2), 0)
  and ($3::uuid is null or e.actor_id = $3)
  and ($4::text is null or e.stream_type = $4)
  and ($5::text is null or e.type = $5)
  and ` + seqsWithin("e.seq") + `
  and (select true from activity a where a.tenant_id = $1 and a.generation = ` + activity.generation("$1") + ` and a.seq = e.seq limit 1)
order by e.version limit $9`
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

// scanActivity reads a row of a query that selects eventstore.Columns. It renders an
// event that a newer version of Docket wrote as its type alone: the log has no holes.
func scanActivity(row pgx.CollectableRow) (Activity, error) {
	e, err := eventstore.Scan(row)
	if err == nil {
		return renderActivity(e)
	}
	if !errors.Is(err, domain.ErrUnknownEvent) {
		return Activity{}, err
	}
	h, err := scanHistory(row)
	return Activity{
		Seq: h.Seq, At: h.At, ActorID: h.ActorID, ActorName: h.ActorName, Action: h.Type,
		EntityType: h.Stream.Type, EntityID: h.Stream.ID, ProjectID: h.ProjectID, Summary: h.Summary, Changes: h.Changes,
	}, err
}

// renderActivity renders an event as an item of the activity log.
func renderActivity(e domain.Recorded) (Activity, error) {
	l, err := Describe(e)
	if err != nil {
		return Activity{}, err
	}
	return Activity{
		Seq: e.Seq, At: e.At, ActorID: actorOf(e), ActorName: e.ActorName(), Action: e.Event.EventType(),
		EntityType: e.Stream.Type, EntityID: e.Stream.ID, ProjectID: l.ProjectID,
		Summary: l.Summary, Changes: l.Changes, RequestID: e.Meta.RequestID,
	}, nil
}

// actorOf is who acted; nil for the system.
func actorOf(e domain.Recorded) *domain.UserID {
	if e.Actor.IsZero() {
		return nil
	}
	return &e.Actor
}
