package notify

import (
	"context"

	"docket/domain"
	"docket/eventstore"

	"github.com/ThreeDotsLabs/watermill/message"
)

// SubscriptionName is the subscription whose checkpoints say how far users have
// been told.
const SubscriptionName = "notifications"

// Subscription is the subscription's name and its handler, for a Watermill
// Router over an eventstore.Feed.
func Subscription() (name string, handler message.NoPublishHandlerFunc) {
	return SubscriptionName, eventstore.Handle(tell)
}

// Wants reports whether the subscription does anything with an event: whether it
// has anybody to tell of it, or keeps who they are and how they want to be told.
func Wants(e domain.Recorded) bool {
	if e.Stream.Type == domain.MemberStream || e.Stream.Type == domain.TenantStream {
		return true
	}
	list, err := Of(e)
	return len(list) > 0 || err != nil
}

// tell tells everybody whom a page's events concern: in the inbox always, and
// over the tenant's channel where that is another.
func tell(ctx context.Context, page *eventstore.Page) error {
	inbox := inApp{page.Tx}
	chosen := &channels{tx: page.Tx, tenant: page.Tenant}
	members := recipients{page.Tx, page.Tenant}
	for _, e := range page.Events {
		// First, so that a message goes out by the settings and names that hold with
		// the event.
		if err := chosen.fold(ctx, e); err != nil {
			return err
		}
		if err := members.fold(ctx, e); err != nil {
			return err
		}
		list, err := Of(e)
		if err != nil {
			return err
		}
		for _, n := range list {
			m := Message{Notification: n}
			if err := inbox.Send(ctx, m); err != nil {
				return err
			}
			tenant, err := chosen.chosen(ctx)
			if err != nil {
				return err
			}
			if tenant.Channel == domain.ChannelInApp {
				continue
			}
			to, found, err := members.of(ctx, n.User)
			if err != nil {
				return err
			}
			if !found {
				continue // who left is told nothing more outside
			}
			m.To, m.EmailFrom, m.SlackWebhook = to, tenant.EmailFrom, tenant.SlackWebhook
			if err := (outbox{page.Tx, tenant.Channel}).Send(ctx, m); err != nil {
				return err
			}
		}
	}
	return nil
}
