package notify

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// inApp puts notifications into their users' inboxes. It writes in the page's
// transaction, whatever the tenant's channel: the inbox is the record.
type inApp struct{ tx pgx.Tx }

// deliverSQL writes a notification, unless it is there: $1 tenant, $2 id, $3
// user, $4 actor, $5 seq, $6 kind, $7 reason, $8 and $9 entity, $10 project,
// $11 title, $12 body, $13 the event's time.
const deliverSQL = `insert into notifications (tenant_id, id, user_id, actor_id, seq, kind, reason,
  entity_type, entity_id, project_id, title, body, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
on conflict on constraint notifications_once do nothing`

// Send writes the notification's row.
func (p inApp) Send(ctx context.Context, m Message) error {
	var actor, project *uuid.UUID
	if !m.Actor.IsZero() {
		id := m.Actor.UUID()
		actor = &id
	}
	if m.ProjectID != nil {
		id := m.ProjectID.UUID()
		project = &id
	}
	_, err := p.tx.Exec(ctx, deliverSQL, m.Tenant.UUID(), m.ID.UUID(), m.User.UUID(), actor, m.Seq,
		string(m.Kind), string(m.Reason), string(m.EntityType), m.EntityID, project, m.Title, m.Body, m.CreatedAt)
	if err != nil {
		return fmt.Errorf("notification of event %d: %w", m.Seq, err)
	}
	return nil
}
