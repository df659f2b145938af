package notify

import (
	"context"
	"encoding/json"
	"fmt"

	"docket/domain"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// insertDeliveriesSQL enqueues messages for a channel ($1): $2 tenants, $3 ids, $4 users,
// $5 actors, $6 seqs, $7 messages, $8 seconds until they are due. One that is there gets the
// message that a bulk request has now, unless an attempt has begun.
const insertDeliveriesSQL = `insert into deliveries as had (tenant_id, id, channel, user_id, actor_id, seq, message, due_at)
select d.tenant_id, d.id, $1, d.user_id, d.actor_id, d.seq, d.message, now() + make_interval(secs => d.delay)
from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[], $7::json[], $8::float8[]) as d (tenant_id, id, user_id, actor_id, seq, message, delay)
on conflict on constraint deliveries_pk do update set message = excluded.message
where had.finished_at is null and had.attempts = 0 and had.message::text <> excluded.message::text`

// outgoing is a delivery that is about to be enqueued. It travels to the adapter in
// the Watermill message's context.
type outgoing struct {
	id      uuid.UUID
	payload string
	Message
}

type outgoingKey struct{}

// publish enqueues a page's messages for one channel, in the page's transaction: a
// message is in the queue if and only if the checkpoint advances. A delivery's id
// follows from the notification's, so none is enqueued twice.
func publish(ctx context.Context, tx pgx.Tx, c domain.Channel, list []Message) error {
	p, err := sql.NewPublisher(sql.TxFromPgx(tx), sql.PublisherConfig{SchemaAdapter: schema{}}, nil)
	if err != nil {
		return fmt.Errorf("delivery queue: %w", err)
	}
	out := make([]*message.Message, len(list))
	for i, m := range list {
		payload, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("message of event %d: %w", m.Seq, err)
		}
		o := outgoing{derivedID(m.CreatedAt, m.ID.String()+"/"+string(c)), string(payload), m}
		out[i] = message.NewMessage(o.id.String(), payload)
		out[i].SetContext(context.WithValue(ctx, outgoingKey{}, o))
	}
	if err := p.Publish(string(c), out...); err != nil {
		return fmt.Errorf("enqueue messages for %s: %w", c, err)
	}
	return nil
}

// InsertQuery enqueues what publish made, by one statement.
func (schema) InsertQuery(p sql.InsertQueryParams) (sql.Query, error) {
	list := column(p.Msgs, func(m *message.Message) outgoing { return m.Context().Value(outgoingKey{}).(outgoing) })
	return sql.Query{Query: insertDeliveriesSQL, Args: []any{
		p.Topic,
		column(list, func(o outgoing) uuid.UUID { return o.Tenant.UUID() }),
		column(list, func(o outgoing) uuid.UUID { return o.id }),
		column(list, func(o outgoing) uuid.UUID { return o.User.UUID() }),
		column(list, func(o outgoing) *uuid.UUID { return nullable(o.Actor) }),
		column(list, func(o outgoing) int64 { return o.Seq }),
		column(list, func(o outgoing) string { return o.payload }),
		column(list, func(o outgoing) float64 {
			if o.bulk != nil {
				return bulkDelay.Seconds()
			}
			return 0
		}),
	}}, nil
}
