package notify

import (
	"context"
	"fmt"

	"docket/domain"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/jackc/pgx/v5"
)

// outbox puts messages into a channel's queue. It writes in the page's
// transaction: a message is queued if and only if the checkpoint advances.
type outbox struct {
	tx      pgx.Tx
	channel domain.Channel
}

// Send queues the message, unless it is there.
func (o outbox) Send(ctx context.Context, m Message) error {
	msg, err := envelope(m, o.channel)
	if err != nil {
		return err
	}
	msg.SetContext(ctx)
	p, err := sql.NewPublisher(sql.TxFromPgx(o.tx), sql.PublisherConfig{SchemaAdapter: schema{}}, nil)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if err := p.Publish(string(o.channel), msg); err != nil {
		return fmt.Errorf("queue message of event %d: %w", m.Seq, err)
	}
	return nil
}
