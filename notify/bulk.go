package notify

import (
	"context"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// bulkDelay is how long a message about a bulk request waits before it may leave: the
// events of a bulk may come in several pages, and each changes the message until then.
const bulkDelay = 2 * time.Second

// bulkPart is what a notification of a bulk request has beside the others: however many of
// the request's events concern a user, they are one notification.
type bulkPart struct {
	// events is how many there are so far, and last the seq of the last.
	events int
	last   int64
	// project is the name of the event's project, actor that of the actor.
	project, actor string
}

// bulkOf is the bulkPart of a notification of an event; nil if each event has its own.
func bulkOf(e domain.Recorded, k Kind, actor string) *bulkPart {
	if e.Meta.Bulk == nil || k != TaskAssigned {
		return nil
	}
	switch t := e.Event.(type) {
	case domain.TaskCreated:
		return &bulkPart{1, e.Seq, t.ProjectName, actor}
	case domain.TaskUpdated:
		return &bulkPart{1, e.Seq, t.ProjectName, actor}
	}
	return nil
}

// bulkID derives the id of a bulk's notification from the bulk, the recipient and the kind.
func bulkID(e domain.Recorded, to domain.UserID, k Kind) domain.NotificationID {
	id := e.Meta.Bulk.UUID()
	seconds, nanos := id.Time().UnixTime()
	return domain.NotificationID(derivedID(time.Unix(seconds, nanos), fmt.Sprintf("%s/%s/%s/%s", e.Tenant, id, to, k)))
}

// and is a notification of what was so far and of one event more. It keeps the position and
// the time of the first event. What it tells of is the project, or the tenant where there
// are several, so that it stays true when one of the tasks is deleted.
func (n Notification) and(next Notification) Notification {
	all := next
	all.Seq, all.CreatedAt = n.Seq, n.CreatedAt
	all.bulk = &bulkPart{n.bulk.events + 1, next.bulk.last, next.bulk.project, next.bulk.actor}
	all.Title = fmt.Sprintf("%d tasks are assigned to you", all.bulk.events)
	if n.ProjectID != nil && *n.ProjectID == *next.ProjectID {
		all.EntityType, all.EntityID = domain.ProjectStream, next.ProjectID.UUID()
		all.Body = fmt.Sprintf(`%s assigned them to you in project "%s".`, all.bulk.actor, all.bulk.project)
		return all
	}
	all.EntityType, all.EntityID, all.ProjectID = domain.TenantStream, next.Tenant.UUID(), nil
	all.Body = fmt.Sprintf("%s assigned them to you in several projects.", all.bulk.actor)
	return all
}

// bulksSQL reads what the notifications ($2) of a tenant's ($1) bulk requests tell so far.
const bulksSQL = `select id, seq, created_at, project_id, events, coalesce(last_seq, 0) from notifications where tenant_id = $1 and id = any($2::uuid[])`

// joinBulks makes one notification of all that a user has of a bulk request, in this page and
// before it. Each event's are replaced by those that hold with it; an event that was handled
// before has none.
func joinBulks(ctx context.Context, page *feed.Page, perEvent [][]Notification) error {
	var ids []uuid.UUID
	for _, list := range perEvent {
		for _, n := range list {
			if n.bulk != nil {
				ids = append(ids, n.ID.UUID())
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := page.Tx.Query(ctx, bulksSQL, page.Tenant.UUID(), ids)
	if err != nil {
		return fmt.Errorf("read notifications of bulks: %w", err)
	}
	so := map[domain.NotificationID]Notification{}
	var (
		row     Notification
		project *uuid.UUID
		part    bulkPart
	)
	_, err = pgx.ForEachRow(rows, []any{(*uuid.UUID)(&row.ID), &row.Seq, &row.CreatedAt, &project, &part.events, &part.last}, func() error {
		so[row.ID] = Notification{Seq: row.Seq, CreatedAt: row.CreatedAt.UTC(), ProjectID: (*domain.ProjectID)(project),
			bulk: &bulkPart{events: part.events, last: part.last}}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read notifications of bulks: %w", err)
	}
	for i, list := range perEvent {
		var joined []Notification
		for _, n := range list {
			have, ok := so[n.ID]
			switch {
			case n.bulk == nil:
			case ok && have.bulk.last >= n.Seq:
				continue // handled again
			case ok:
				n = have.and(n)
				so[n.ID] = n
			default:
				so[n.ID] = n
			}
			joined = append(joined, n)
		}
		perEvent[i] = joined
	}
	return nil
}

// lastOf leaves out notifications that a later one of the list replaces.
func lastOf[T any](list []T, of func(T) Notification) []T {
	last := map[domain.NotificationID]int{}
	for i, item := range list {
		last[of(item).ID] = i
	}
	if len(last) == len(list) {
		return list
	}
	var out []T
	for i, item := range list {
		if last[of(item).ID] == i {
			out = append(out, item)
		}
	}
	return out
}
