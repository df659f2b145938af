package notify

import (
	"docket/domain"
	"docket/eventstore/feed"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// recipientsSQL reads the addresses and names of some members ($2) of a tenant ($1).
const recipientsSQL = `select user_id, email, name from recipients where tenant_id = $1 and user_id = any($2::uuid[])`

// setRecipientsSQL writes members ($2) of a tenant ($1): $3 addresses, $4 names.
const setRecipientsSQL = `insert into recipients (tenant_id, user_id, email, name)
select $1, r.* from unnest($2::uuid[], $3::text[], $4::text[]) as r
on conflict on constraint recipients_pk do update set email = excluded.email, name = excluded.name`

// deleteRecipientsSQL deletes users ($2) who left a tenant ($1).
const deleteRecipientsSQL = `delete from recipients where tenant_id = $1 and user_id = any($2::uuid[])`

// recipients are some members of a tenant as of one event, folded from the tenant
// log as channelSettings are.
type recipients struct {
	members map[uuid.UUID]Recipient
	changed map[uuid.UUID]bool
}

// load reads rows of recipientsSQL.
func (r *recipients) load(rows pgx.Rows) error {
	r.members, r.changed = map[uuid.UUID]Recipient{}, map[uuid.UUID]bool{}
	var user uuid.UUID
	var to Recipient
	_, err := pgx.ForEachRow(rows, []any{&user, &to.Email, &to.Name}, func() error {
		r.members[user] = to
		return nil
	})
	return err
}

// fold applies an event about a membership and ignores any other.
func (r *recipients) fold(e domain.Recorded) {
	switch m := e.Event.(type) {
	case domain.MemberJoined:
		r.set(m.UserID, Recipient{Email: m.Email.Value, Name: m.Name.Value})
	case domain.MemberRenamed:
		if to, ok := r.members[m.UserID.UUID()]; ok {
			r.set(m.UserID, Recipient{Email: to.Email, Name: m.Name.Value})
		}
	case domain.MemberLeft:
		delete(r.members, m.UserID.UUID())
		r.changed[m.UserID.UUID()] = true
	}
}

func (r *recipients) set(u domain.UserID, to Recipient) {
	r.members[u.UUID()] = to
	r.changed[u.UUID()] = true
}

// queue writes what the events changed.
func (r *recipients) queue(page *feed.Page) {
	var left, set []uuid.UUID
	for u := range r.changed {
		if _, ok := r.members[u]; ok {
			set = append(set, u)
		} else {
			left = append(left, u)
		}
	}
	if len(set) > 0 {
		page.Queue(setRecipientsSQL, page.Tenant.UUID(), set,
			column(set, func(u uuid.UUID) string { return r.members[u].Email }),
			column(set, func(u uuid.UUID) string { return r.members[u].Name }))
	}
	if len(left) > 0 {
		page.Queue(deleteRecipientsSQL, page.Tenant.UUID(), left)
	}
}
