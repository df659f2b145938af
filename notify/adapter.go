package notify

import (
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
)

// schema is watermill-sql's SchemaAdapter for the deliveries table. A topic is a
// channel. Of the embedded schema nothing but formalities is used: the table is made
// by a migration.
type schema struct {
	sql.PostgreSQLQueueSchema
	lease     time.Duration
	perTenant int
	standIns  map[string]bool
	// grouped are the channels with one message for all recipients of an event.
	grouped map[string]bool
}

var _ sql.SchemaAdapter = schema{}

// SelectQuery claims at most one attempt: of several, watermill-sql would make the
// later ones wait for the first.
func (s schema) SelectQuery(p sql.SelectQueryParams) (sql.Query, error) {
	var unless *float64
	if s.standIns[p.Topic] {
		known := providerKnownFor.Seconds()
		unless = &known
	}
	return sql.Query{Query: claimSQL, Args: []any{p.Topic, s.lease.Seconds(), s.perTenant, unless, s.grouped[p.Topic]}}, nil
}

// UnmarshalMessage makes a message of what was claimed. Its offset is the attempt's
// number, because the Subscriber acks no offset of zero.
func (schema) UnmarshalMessage(p sql.UnmarshalMessageParams) (sql.Row, error) {
	var a *attempt
	if err := p.Row.Scan(&a); err != nil {
		return sql.Row{}, err
	}
	first := a.deliveries[0]
	return sql.Row{Offset: int64(first.number), Msg: message.NewMessage(first.id.String(), first.message)}, nil
}

// acks is watermill-sql's OffsetsAdapter: an ack finishes an attempt.
type acks struct {
	sql.PostgreSQLQueueOffsetsAdapter
}

var _ sql.OffsetsAdapter = acks{}

// AckMessageQuery records the outcomes. A message that was acked without one is left
// to its lease.
func (acks) AckMessageQuery(p sql.AckMessageQueryParams) (sql.Query, error) {
	a, err := attemptOf(p.LastRow.Msg.Context())
	if err != nil {
		return sql.Query{}, err
	}
	for _, d := range a.deliveries {
		if d.outcome == nil {
			return sql.Query{}, fmt.Errorf("delivery %s was acked without an outcome", d.id)
		}
	}
	return sql.Query{Query: finishSQL, Args: []any{
		a.tenant,
		column(a.deliveries, func(d *delivery) uuid.UUID { return d.id }),
		column(a.deliveries, func(d *delivery) int32 { return int32(d.number) }),
		column(a.deliveries, func(d *delivery) string { return string(d.outcome.state) }),
		column(a.deliveries, func(d *delivery) string { return d.outcome.problem }),
		column(a.deliveries, func(d *delivery) float64 { return d.outcome.after.Seconds() }),
		column(a.deliveries, func(d *delivery) bool { return d.outcome.givenBack }),
	}}, nil
}
