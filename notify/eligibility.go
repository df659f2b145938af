package notify

import (
	"context"
	"encoding/json"
	"fmt"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// settingsSinceSQL reads the events of a tenant's ($1) settings that the subscription has
// not folded yet.
const settingsSinceSQL = `select ` + eventstore.Columns + ` from events where tenant_id = $1 and stream_id = $1
  and version > coalesce((select c.version from tenant_channels c where c.tenant_id = $1), 0) order by version`

// membershipsSQL reads what says whether users ($2) are members of a tenant ($1), and
// under which name and address.
const membershipsSQL = `select ` + eventstore.Columns + ` from events where tenant_id = $1 and stream_id = any($2::uuid[])
  and type in ('member.joined', 'member.renamed', 'member.left') order by stream_id, version`

// deletedSQL says whether what an event ($3) of a tenant ($1) tells of was deleted: $2 the
// kind of entity, $4 the entity, $5 its project.
var deletedSQL = `select ` + deletedExpr("$1::uuid", "$2::text", "$3::bigint", "$4::uuid", "$5::uuid")

// deletedExpr is an SQL expression: whether an entity was deleted, or what it belongs to.
// A comment's task is in its event. The last event of a stream is its deletion.
func deletedExpr(tenant, kind, seq, entity, project string) string {
	return `exists (select from unnest(array[` + entity + `, ` + project + `, case when ` + kind + ` = 'comment' then
    (select (c.data->>'task_id')::uuid from events c where c.tenant_id = ` + tenant + ` and c.seq = ` + seq + `) end]) as s (id)
  cross join lateral (select e.type from events e where e.tenant_id = ` + tenant + ` and e.stream_id = s.id order by e.version desc limit 1) last
  where last.type in ('comment.deleted', 'task.deleted', 'project.deleted'))`
}

// eligibility is what decides whether a message may leave, and where to, as the tenant log
// says at that moment. No checkpoint and no cache stands between.
type eligibility struct {
	settings channelSettings
	// members are by user; a user who never joined has none.
	members map[uuid.UUID]member
	deleted bool
	paused  pause
}

// member is a membership, and the seq at which it began last: an inbox shows nothing from
// before.
type member struct {
	domain.Membership
	since int64
}

// loadEligibility reads it for the messages of one event, in one round trip.
func loadEligibility(ctx context.Context, pool *pgxpool.Pool, tenant uuid.UUID, channel string, list []Message) (*eligibility, error) {
	e := &eligibility{members: map[uuid.UUID]member{}}
	var since []domain.Recorded
	n := list[0].Notification
	b := &pgx.Batch{}
	// The events before the row, which may have got further meanwhile: fold leaves out what
	// the row has.
	b.Queue(settingsSinceSQL, tenant).Query(func(rows pgx.Rows) (err error) {
		since, err = pgx.CollectRows(rows, eventstore.Scan)
		return err
	})
	b.Queue(channelSQL, tenant).QueryRow(e.settings.load)
	b.Queue(membershipsSQL, tenant, column(list, func(m Message) uuid.UUID { return m.User.UUID() })).Query(e.loadMembers)
	b.Queue(deletedSQL, tenant, string(n.EntityType), n.Seq, n.EntityID, (*uuid.UUID)(n.ProjectID)).QueryRow(func(row pgx.Row) error {
		return row.Scan(&e.deleted)
	})
	b.Queue(pausedSQL, tenant, channel).QueryRow(e.paused.load)
	if err := pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, fmt.Errorf("look at what a message needs: %w", err)
	}
	for _, event := range since {
		if event.Version <= e.settings.tenant.Version {
			continue
		}
		if err := e.settings.fold(event); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *eligibility) loadMembers(rows pgx.Rows) error {
	events, err := pgx.CollectRows(rows, eventstore.Scan)
	if err != nil {
		return err
	}
	for _, event := range events {
		m := e.members[event.Stream.ID]
		if m.Membership, err = m.Evolve(event); err != nil {
			return fmt.Errorf("event %d: %w", event.Seq, err)
		}
		if _, ok := event.Event.(domain.MemberJoined); ok {
			m.since = event.Seq
		}
		e.members[event.Stream.ID] = m
	}
	return nil
}

// refusal is why a message may not leave; empty: it may.
func (e *eligibility) refusal(channel string, m Message) string {
	to := e.members[m.User.UUID()]
	switch {
	case !to.Active || to.since > m.Seq:
		return "the recipient has left the tenant"
	case string(e.settings.tenant.Channel) != channel:
		return "the tenant doesn't send over this channel any more"
	case e.deleted:
		return fmt.Sprintf("the %s was deleted", m.EntityType)
	}
	return ""
}

// address puts what holds now into a message.
func (e *eligibility) address(m Message) Message {
	to, t := e.members[m.User.UUID()], e.settings.tenant
	m.Recipient = Recipient{Email: to.Email, Name: to.Name}
	m.EmailFrom, m.SlackWebhook = t.EmailFrom, t.SlackWebhook
	return m
}

// receiver names the address of a channel that all of a tenant's messages go to; nil if
// each goes to another.
func (e *eligibility) receiver(channel string) *uuid.UUID {
	if domain.Channel(channel) != domain.ChannelSlack {
		return nil
	}
	return (*uuid.UUID)(e.settings.tenant.SlackWebhook)
}

// pausedFor says whether the receiver has asked for a pause that isn't over. An address that
// was set since takes messages.
func (e *eligibility) pausedFor(receiver *uuid.UUID) bool {
	return receiver != nil && e.paused.rest > 0 && e.paused.receiver == *receiver
}

// parseMessage reads a stored message.
func parseMessage(raw []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, permanent("internal error", fmt.Errorf("stored message: %w", err))
	}
	return m, nil
}
