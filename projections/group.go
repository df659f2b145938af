package projections

import (
	"context"
	"fmt"

	"docket/eventstore/feed"

	"github.com/ThreeDotsLabs/watermill/message"
)

// GroupName is the topic on which the read models of a tenant share their pages.
const GroupName = "read models"

// Group is the handler of the pages that read models share, for a Watermill Router over a
// feed.Feed whose Config.Groups has the Models under GroupName.
func Group() (name string, handler message.NoPublishHandlerFunc) {
	fill := map[string]func(context.Context, *feed.Page) error{}
	for _, m := range readModels() {
		fill[m.name] = m.fill
	}
	return GroupName, feed.HandleGroup(func(ctx context.Context, pages []*feed.Page) error {
		for _, p := range pages {
			apply, ok := fill[p.Subscription]
			if !ok {
				return fmt.Errorf("%s is not a read model", p.Subscription)
			}
			if err := apply(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
}
