package notify

import (
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
)

// schema is watermill-sql's SchemaAdapter for the deliveries table. A topic is a
// channel. Of the embedded schema nothing but formalities is used: the table is made
// by a migration.
type schema struct {
	sql.PostgreSQLQueueSchema
	lease     time.Duration
	perTenant int
	standIns  map[string]bool
}

var _ sql.SchemaAdapter = schema{}

// SelectQuery claims at most one delivery: of several, watermill-sql would make the
// later ones wait for the first.
func (s schema) SelectQuery(p sql.SelectQueryParams) (sql.Query, error) {
	var unless *float64
	if s.standIns[p.Topic] {
		known := providerKnownFor.Seconds()
		unless = &known
	}
	return sql.Query{Query: claimSQL, Args: []any{p.Topic, s.lease.Seconds(), s.perTenant, unless}}, nil
}

// UnmarshalMessage makes a message of a claimed delivery. Its offset is the attempt's
// number, because the Subscriber acks no offset of zero.
func (schema) UnmarshalMessage(p sql.UnmarshalMessageParams) (sql.Row, error) {
	var a *attempt
	if err := p.Row.Scan(&a); err != nil {
		return sql.Row{}, err
	}
	return sql.Row{Offset: int64(a.number), Msg: message.NewMessage(a.id.String(), a.message)}, nil
}

// acks is watermill-sql's OffsetsAdapter: an ack finishes an attempt.
type acks struct {
	sql.PostgreSQLQueueOffsetsAdapter
}

var _ sql.OffsetsAdapter = acks{}

// AckMessageQuery records the outcome. A message that was acked without one is left
// to its lease.
func (acks) AckMessageQuery(p sql.AckMessageQueryParams) (sql.Query, error) {
	a, err := attemptOf(p.LastRow.Msg.Context())
	if err != nil {
		return sql.Query{}, err
	}
	if a.outcome == nil {
		return sql.Query{}, fmt.Errorf("delivery %s was acked without an outcome", a.id)
	}
	query, more := a.outcome.finish()
	return sql.Query{Query: query, Args: append([]any{a.tenant, a.id, a.number}, more...)}, nil
}
