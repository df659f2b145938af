package notify

import (
	"time"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/google/uuid"
)

// insertNotificationsSQL writes notifications of a tenant ($1), leaving out those
// that are there: $2 ids, $3 users, $4 actors, $5 seqs, $6 kinds, $7 reasons, $8 and
// $9 entities, $10 projects, $11 titles, $12 bodies, $13 the events' times.
const insertNotificationsSQL = `insert into notifications (tenant_id, id, user_id, actor_id, seq, kind, reason,
  entity_type, entity_id, project_id, title, body, created_at)
select $1, n.* from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[],
  $8::text[], $9::uuid[], $10::uuid[], $11::text[], $12::text[], $13::timestamptz[]) as n
on conflict on constraint notifications_once do nothing`

// insertBulksSQL writes notifications of bulk requests of a tenant ($1), in place of what
// they told before, and makes them unread: $2 to $13 as insertNotificationsSQL, $14 numbers of events, $15 seqs of the last.
const insertBulksSQL = `insert into notifications (tenant_id, id, user_id, actor_id, seq, kind, reason,
  entity_type, entity_id, project_id, title, body, created_at, events, last_seq)
select $1, n.* from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[],
  $8::text[], $9::uuid[], $10::uuid[], $11::text[], $12::text[], $13::timestamptz[], $14::int[], $15::bigint[]) as n
on conflict on constraint notifications_pk do update set entity_type = excluded.entity_type, entity_id = excluded.entity_id,
  project_id = excluded.project_id, title = excluded.title, body = excluded.body, events = excluded.events,
  last_seq = excluded.last_seq, read_at = null`

// queueNotifications inserts rows into the inboxes, with the page's last round trip.
// The inbox is the record: it gets a row whatever the tenant's channel.
func queueNotifications(page *feed.Page, list []Notification) {
	var single, bulks []Notification
	for _, n := range lastOf(list, func(n Notification) Notification { return n }) {
		if n.bulk == nil {
			single = append(single, n)
		} else {
			bulks = append(bulks, n)
		}
	}
	if len(single) > 0 {
		page.Queue(insertNotificationsSQL, columnsOf(page.Tenant, single)...)
	}
	if len(bulks) > 0 {
		page.Queue(insertBulksSQL, append(columnsOf(page.Tenant, bulks), column(bulks, func(n Notification) int { return n.bulk.events }),
			column(bulks, func(n Notification) int64 { return n.bulk.last }))...)
	}
}

// columnsOf are the parameters of insertNotificationsSQL.
func columnsOf(t domain.TenantID, list []Notification) []any {
	return []any{t.UUID(),
		column(list, func(n Notification) uuid.UUID { return n.ID.UUID() }),
		column(list, func(n Notification) uuid.UUID { return n.User.UUID() }),
		column(list, func(n Notification) *uuid.UUID { return nullable(n.Actor) }),
		column(list, func(n Notification) int64 { return n.Seq }),
		column(list, func(n Notification) string { return string(n.Kind) }),
		column(list, func(n Notification) string { return string(n.Reason) }),
		column(list, func(n Notification) string { return string(n.EntityType) }),
		column(list, func(n Notification) uuid.UUID { return n.EntityID }),
		column(list, func(n Notification) *uuid.UUID { return (*uuid.UUID)(n.ProjectID) }),
		column(list, func(n Notification) string { return n.Title }),
		column(list, func(n Notification) string { return n.Body }),
		column(list, func(n Notification) time.Time { return n.CreatedAt }),
	}
}

// column is one field of each row: an array parameter of unnest.
func column[R, F any](rows []R, field func(R) F) []F {
	out := make([]F, len(rows))
	for i, r := range rows {
		out[i] = field(r)
	}
	return out
}

func nullable(u domain.UserID) *uuid.UUID {
	if u.IsZero() {
		return nil
	}
	return (*uuid.UUID)(&u)
}
