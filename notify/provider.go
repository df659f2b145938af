package notify

import (
	"context"

	"docket/domain"
)

// Provider sends messages over one channel.
//
// Two live inside a page's transaction, where no external call is allowed: the
// inbox and the outbox, which puts a message into the queue. The others are
// called by the queue's workers, outside any transaction.
type Provider interface {
	// Send sends one message, or gives up when ctx ends. A worker tries again
	// unless the error is a *Failure that says otherwise. A message may come again
	// although it was sent (the worker died before it could say so): it then has
	// the same ID.
	Send(ctx context.Context, m Message) error
}

// Message is a notification with what is needed to send it: all of it as it was
// at the event, so that every attempt sends the same.
type Message struct {
	Notification
	// To is the member who is told.
	To Recipient
	// EmailFrom is the tenant's own sender; nil: the server's.
	EmailFrom *string
	// SlackWebhook names the secret with the webhook's address.
	SlackWebhook *domain.SecretID
}

// Recipient is where a member is to be reached.
type Recipient struct {
	Email string
	Name  string
}
