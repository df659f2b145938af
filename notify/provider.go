package notify

import (
	"context"

	"docket/domain"
)

// Provider sends messages over one channel. The Queue's workers call it, outside of
// any transaction.
type Provider interface {
	// Send sends one message, or returns when ctx ends. The delivery is retried unless
	// the error is a permanent *Failure. A message that was sent already may come
	// again, with the same ID, if its worker died before it recorded the outcome.
	Send(ctx context.Context, m Message) error
}

// Message is a notification with all that a Provider needs, as of the event: every
// attempt sends the same. The JSON names are part of the database
// (deliveries.message): another version may send what this one enqueued.
type Message struct {
	Notification
	Recipient
	// EmailFrom is the tenant's own sender; nil: the server's.
	EmailFrom *string `json:"email_from"`
	// SlackWebhook names the secret with the webhook's address.
	SlackWebhook *domain.SecretID `json:"slack_webhook"`
}

// Recipient is the address and the name of the member who is notified.
type Recipient struct {
	Email string `json:"to_email"`
	Name  string `json:"to_name"`
}
