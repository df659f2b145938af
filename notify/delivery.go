package notify

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"docket/domain"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
)

// stored is a Message as the queue keeps it. The names are part of the database:
// a row may be sent by a newer version than wrote it.
type stored struct {
	ID           domain.NotificationID `json:"notification_id"`
	Tenant       domain.TenantID       `json:"tenant_id"`
	User         domain.UserID         `json:"user_id"`
	Actor        domain.UserID         `json:"actor_id"`
	Kind         Kind                  `json:"kind"`
	Reason       Reason                `json:"reason"`
	Seq          int64                 `json:"seq"`
	EntityType   domain.StreamType     `json:"entity_type"`
	EntityID     uuid.UUID             `json:"entity_id"`
	ProjectID    *domain.ProjectID     `json:"project_id"`
	Title        string                `json:"title"`
	Body         string                `json:"body"`
	CreatedAt    time.Time             `json:"created_at"`
	ToEmail      string                `json:"to_email"`
	ToName       string                `json:"to_name"`
	EmailFrom    *string               `json:"email_from"`
	SlackWebhook *domain.SecretID      `json:"slack_webhook"`
}

func (m Message) marshal() ([]byte, error) {
	return json.Marshal(stored{
		ID: m.ID, Tenant: m.Tenant, User: m.User, Actor: m.Actor, Kind: m.Kind, Reason: m.Reason, Seq: m.Seq,
		EntityType: m.EntityType, EntityID: m.EntityID, ProjectID: m.ProjectID, Title: m.Title, Body: m.Body,
		CreatedAt: m.CreatedAt, ToEmail: m.To.Email, ToName: m.To.Name, EmailFrom: m.EmailFrom, SlackWebhook: m.SlackWebhook,
	})
}

func unmarshal(b []byte) (Message, error) {
	var s stored
	if err := json.Unmarshal(b, &s); err != nil {
		return Message{}, fmt.Errorf("stored message: %w", err)
	}
	return Message{
		Notification: Notification{
			ID: s.ID, Tenant: s.Tenant, User: s.User, Actor: s.Actor, Kind: s.Kind, Reason: s.Reason, Seq: s.Seq,
			EntityType: s.EntityType, EntityID: s.EntityID, ProjectID: s.ProjectID, Title: s.Title, Body: s.Body, CreatedAt: s.CreatedAt,
		},
		To: Recipient{Email: s.ToEmail, Name: s.ToName}, EmailFrom: s.EmailFrom, SlackWebhook: s.SlackWebhook,
	}, nil
}

// The metadata of a queued Watermill message: what are columns beside it, and,
// from the worker to the statement that ends the attempt, what became of it.
const (
	metaTenant  = "tenant"
	metaUser    = "user"
	metaActor   = "actor"
	metaSeq     = "seq"
	metaChannel = "channel"
	metaAttempt = "attempt"
	metaState   = "state"
	metaWait    = "wait"
	metaProblem = "problem"
)

// envelope wraps a message for a channel's queue. The delivery's id follows from
// the notification's, so that nothing is queued twice.
func envelope(m Message, c domain.Channel) (*message.Message, error) {
	payload, err := m.marshal()
	if err != nil {
		return nil, fmt.Errorf("delivery of event %d: %w", m.Seq, err)
	}
	out := message.NewMessage(derived(m.CreatedAt, m.ID.String()+"/"+string(c)).String(), payload)
	out.Metadata.Set(metaTenant, m.Tenant.String())
	out.Metadata.Set(metaUser, m.User.String())
	out.Metadata.Set(metaActor, m.Actor.String())
	out.Metadata.Set(metaSeq, strconv.FormatInt(m.Seq, 10))
	return out, nil
}
