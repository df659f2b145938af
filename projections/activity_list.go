package projections

import (
	"context"
	"math"
	"slices"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Span is the part of a log that a list reads, and its direction. The zero value is all of
// it, oldest first.
type Span struct {
	// AfterSeq leaves out all up to this seq.
	AfterSeq int64
	// BeforeSeq leaves out all from this seq on; 0 leaves out nothing.
	BeforeSeq  int64
	Descending bool
}

// Next is the span that is left after a page whose last item has a seq.
func (s Span) Next(seq int64) Span {
	if s.Descending {
		s.BeforeSeq = seq
	} else {
		s.AfterSeq = seq
	}
	return s
}

func (s Span) before() int64 {
	if s.BeforeSeq == 0 {
		return math.MaxInt64
	}
	return s.BeforeSeq
}

// checked queues the check of AfterSeq, whose outcome aboveHead returns afterwards.
func (s Span) checked(b *pgx.Batch, t domain.TenantID, head *int64) {
	if s.AfterSeq > 0 {
		b.Queue(eventstore.HeadSQL, t.UUID()).QueryRow(func(row pgx.Row) error { return row.Scan(head) })
	}
}

// aboveHead refuses an AfterSeq above the log's head: it comes from another log, whose
// events a follower would miss here without a sign.
func (s Span) aboveHead(head int64) error {
	if s.AfterSeq > head {
		return domain.Refuse(domain.CodeUnsupportedCombination, "after_seq %d lies above the log's head, which is %d", s.AfterSeq, head)
	}
	return nil
}

// ActivityFilter narrows the activity log; a nil member asks for nothing.
type ActivityFilter struct {
	ActorID    *domain.UserID
	EntityType *domain.StreamType
	// EntityID is a stream. What ended the entity with something that it belonged to is listed too.
	EntityID  *uuid.UUID
	ProjectID *domain.ProjectID
	// Actions are types of events, of which an item has one.
	Actions []string
	// Field is the name of a field that an item's changes have.
	Field *string
	// From is the earliest time, itself included; To the first one left out.
	From, To *time.Time
	Span
}

// activitySource is what the activity log is read by; each has an index.
type activitySource string

const (
	activityOfAll     activitySource = "all"
	activityOfEntity  activitySource = "entity"
	activityOfProject activitySource = "project"
	activityOfActor   activitySource = "actor"
	activityOfActions activitySource = "actions"
)

// source chooses the narrowest index. A field is looked for among the events that may
// change it.
func (f *ActivityFilter) source() activitySource {
	if f.Field != nil {
		types := changingTypes(*f.Field)
		if f.Actions != nil {
			types = slices.DeleteFunc(types, func(t string) bool { return !slices.Contains(f.Actions, t) })
		}
		f.Actions = types
	}
	switch {
	case f.EntityID != nil:
		return activityOfEntity
	case f.ProjectID != nil:
		return activityOfProject
	case f.ActorID != nil:
		return activityOfActor
	case f.Actions != nil:
		return activityOfActions
	}
	return activityOfAll
}

// direction is the end of an order by: in SQL ascending is the default.
func direction(descending bool) string {
	if descending {
		return " desc"
	}
	return ""
}

// loggedConditions are those of an actor ($3), a type of entity ($4), some actions ($5), a
// project ($6) and a changed field ($7), each any if null, on a row a of the activity log.
const loggedConditions = `($3::uuid is null or a.actor_id = $3)
    and ($4::text is null or a.entity_type = $4)
    and ($5::text[] is null or a.action = any ($5))
    and ($6::uuid is null or a.project_id = $6)
    and ($7::text is null or $7 = any (string_to_array(a.fields, ',')))`

// seqsWithin are the conditions on a seq: after one ($8) and before another ($9), and by the
// times $10 and $11.
func seqsWithin(seq string) string {
	return seq + ` > greatest($8::bigint, case when $10::timestamptz is not null then seq_at($1, $10 - interval '1 microsecond') end)
    and ` + seq + ` <= least($9::bigint - 1, case when $11::timestamptz is not null then seq_at($1, $11 - interval '1 microsecond') end)`
}

// loggedSQL finds the activity log of a tenant ($1) by loggedConditions and seqsWithin, up
// to $12, and reads the events. by is the condition that decides by which index the log is
// read. The limit of 1 keeps the planner from any other way than one look-up for each line.
func loggedSQL(by string, descending bool) string {
	order := direction(descending)
	return `select e.* from (` + loggedRowsSQL(by, order) + `) as l, lateral (
  select ` + eventstore.Columns + ` from events where tenant_id = $1 and seq = l.seq limit 1) as e
order by l.seq` + order
}

func loggedRowsSQL(by, order string) string {
	return `select a.seq from activity a
  where a.tenant_id = $1 and a.generation = ` + activity.generation("$1") + `
    and ` + by + `
    and ` + loggedConditions + `
    and ` + seqsWithin("a.seq") + `
  order by a.seq` + order + ` limit $12`
}

// actionsActivitySQL is loggedSQL by the index of actions: the first lines of each action,
// of which the first of all are taken.
func actionsActivitySQL(descending bool) string {
	order := direction(descending)
	return `select e.* from (select l.seq from unnest($5::text[]) as k (action), lateral (` +
		loggedRowsSQL(`$2::uuid is null and a.action = k.action`, order) + `) as l
  order by l.seq` + order + ` limit $12) as l, lateral (
  select ` + eventstore.Columns + ` from events where tenant_id = $1 and seq = l.seq limit 1) as e
order by l.seq` + order
}

// entityActivitySQL is loggedSQL of an entity ($2): of a stream, whose events have an index
// of their own, and of what ended it. The page before ended with one of them, so none
// beyond that is read.
func entityActivitySQL(descending bool) string {
	order := direction(descending)
	there := `(select true from activity a where a.tenant_id = $1 and a.generation = ` + activity.generation("$1") + ` and a.seq = e.seq
    and ` + loggedConditions + ` limit 1)
  and ` + seqsWithin("e.seq")
	return streamSQL("$2", "$8", "$9", "$12", order, ` and `+there)
}

// streamSQL reads a stream and what ended it (endedBy), by parameters: the stream's id, the
// seqs after and before which, and how many. The rows meet a condition on e, too.
func streamSQL(stream, after, before, limit, order, condition string) string {
	version := func(seq string) string {
		return `(select p.version from events p where p.tenant_id = $1 and p.seq = ` + seq + `::bigint and p.stream_id = ` + stream + `)`
	}
	return `select * from (
(select ` + eventstore.Columns + ` from events e
  where e.tenant_id = $1 and e.stream_id = ` + stream + `
  and e.version > coalesce(` + version(after) + `, 0) and e.version < coalesce(` + version(before) + `, 2147483647)
  and e.seq > ` + after + ` and e.seq < ` + before + condition + `
  order by e.version` + order + ` limit ` + limit + `)
union all
(select ` + eventstore.Columns + ` from events e
  where e.tenant_id = $1 and e.seq = (` + endedBy(stream) + `) and e.stream_id <> ` + stream + `
  and e.seq > ` + after + ` and e.seq < ` + before + condition + ` limit 1)) as e
order by seq` + order + ` limit ` + limit
}

// endedBy is the seq of the deletion that ended a task or a comment: its own, or that of
// what it belonged to, whichever came first. A deletion is the last event of its stream.
func endedBy(stream string) string {
	id := func(name string) string {
		return `(case when b.data->>'` + name + `' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (b.data->>'` + name + `')::uuid end)`
	}
	return `select d.seq from events b,
    lateral (values (b.stream_id), (` + id("task_id") + `), (` + id("project_id") + `)) as part (id),
    lateral (select l.seq, l.type from events l where l.tenant_id = $1 and l.stream_id = part.id order by l.version desc limit 1) as d
    where b.tenant_id = $1 and b.stream_id = ` + stream + ` and b.version = 1 and b.stream_type in ('task', 'comment')
      and d.type in ('comment.deleted', 'task.deleted', 'project.deleted')
    order by d.seq limit 1`
}

type activityListing struct {
	source     activitySource
	descending bool
}

// activityListings are the statements of all lists of the activity log.
var activityListings = func() map[activityListing]string {
	all := map[activityListing]string{}
	for _, descending := range []bool{false, true} {
		all[activityListing{activityOfAll, descending}] = loggedSQL(`$2::uuid is null and $3::uuid is null`, descending)
		all[activityListing{activityOfActor, descending}] = loggedSQL(`$2::uuid is null and a.actor_id = $3`, descending)
		all[activityListing{activityOfProject, descending}] = loggedSQL(`$2::uuid is null and a.project_id = $6`, descending)
		all[activityListing{activityOfActions, descending}] = actionsActivitySQL(descending)
		all[activityListing{activityOfEntity, descending}] = entityActivitySQL(descending)
	}
	return all
}()

// Activity lists the activity log, up to limit items (DefaultLimit if 0). more says whether
// there are others after the last. An AfterSeq above the log's head is
// domain.CodeUnsupportedCombination.
func (q *Queries) Activity(ctx context.Context, s domain.Scope, filter ActivityFilter, limit int, f Fresh) (items []Activity, more bool, err error) {
	if err := q.await(ctx, s, f, activity.Name); err != nil {
		return nil, false, err
	}
	sql := activityListings[activityListing{filter.source(), filter.Descending}]
	var head int64
	p := Page{Limit: limit}
	items, next, err := list(ctx, q, s, "activity", p, scanActivity, func(Activity) Keyset { return Keyset{} },
		func(b *pgx.Batch) { filter.checked(b, s.Tenant(), &head) }, sql,
		s.Tenant().UUID(), filter.EntityID, optionalUUID(filter.ActorID), optional(filter.EntityType), filter.Actions,
		optionalUUID(filter.ProjectID), filter.Field, filter.AfterSeq, filter.before(), filter.From, filter.To, p.limit()+1)
	if err == nil {
		err = filter.aboveHead(head)
	}
	if err != nil {
		return nil, false, err
	}
	return items, next != nil, nil
}
