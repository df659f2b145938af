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

// GroupProvider is a Provider whose receiver is read by many, such as a Slack channel: it
// gets one message for all recipients of an event.
type GroupProvider interface {
	Provider
	// SendGroup is Send for the messages of one event, of which there is at least one.
	SendGroup(ctx context.Context, list []Message) error
}

// Message is a notification with all that a Provider needs. The notification is as of
// the event: every attempt sends the same. Recipient, EmailFrom and SlackWebhook are as
// of the attempt; what is stored of them is as of the event. The JSON names are part of
// the database (deliveries.message): another version may send what this one enqueued.
type Message struct {
	Notification
	Recipient
	// EmailFrom is the tenant's own address for e-mail; nil: none.
	EmailFrom *string `json:"email_from"`
	// SlackWebhook names the secret with the webhook's address.
	SlackWebhook *domain.SecretID `json:"slack_webhook"`
}

// Recipient is the address and the name of the member who is notified.
type Recipient struct {
	Email string `json:"to_email"`
	Name  string `json:"to_name"`
}
