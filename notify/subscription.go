package notify

import (
	"context"
	"fmt"

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
	return SubscriptionName, eventstore.Handle(send)
}

// send tells everybody whom a page's events concern.
func send(ctx context.Context, page *eventstore.Page) error {
	open := map[domain.Channel]Provider{}
	for _, e := range page.Events {
		list, err := Of(e)
		if err != nil {
			return err
		}
		for _, n := range list {
			channel := channelOf(n)
			p, ok := open[channel]
			if !ok {
				connect, known := providers[channel]
				if !known {
					return fmt.Errorf("event %d: no provider for channel %q", e.Seq, channel)
				}
				p = connect(page.Tx)
				open[channel] = p
			}
			if err := p.Send(ctx, n); err != nil {
				return err
			}
		}
	}
	return nil
}
