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

// Interest is what the subscription has to do with a log: it tells somebody of an event,
// or keeps who they are and how they want to be told. The texts name who acted, which
// stands in the Meta.
func Interest() eventstore.Interest {
	i := eventstore.Interest{Wants: wants}
	for _, d := range domain.Definitions() {
		if told, ok := rules[d.Type]; ok && len(told) == 0 && !kept(d.Stream) {
			i.Ignores = append(i.Ignores, d.Type)
		}
	}
	return i
}

func wants(e domain.Recorded) bool {
	list, err := Of(e)
	return kept(e.Stream.Type) || len(list) > 0 || err != nil
}

// kept says whether tell keeps something of the events of such streams.
func kept(s domain.StreamType) bool { return s == domain.MemberStream || s == domain.TenantStream }

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
