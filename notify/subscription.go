package notify

import (
	"context"
	"maps"
	"slices"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
)

// SubscriptionName is the name of the subscription that writes notifications.
const SubscriptionName = "notifications"

// Subscription is the subscription's name and its handler, for a Watermill Router
// over an feed.Feed.
func Subscription() (name string, handler message.NoPublishHandlerFunc) {
	return SubscriptionName, feed.Handle(handle)
}

// Interest is which events the subscription handles. The texts contain the actor's
// name, which is in the Meta.
func Interest() feed.Interest {
	i := feed.Interest{Handles: handles}
	for _, d := range domain.Definitions() {
		if list, ok := rules[d.Type]; ok && len(list) == 0 && !folded(d.Stream) {
			i.Ignores = append(i.Ignores, d.Type)
		}
	}
	return i
}

// handles says whether an event has a recipient or is folded. An event without a
// rule is handled, so that it fails.
func handles(e domain.Recorded) bool {
	list, ok := rules[e.Event.EventType()]
	return !ok || folded(e.Stream.Type) || slices.ContainsFunc(list, func(r rule) bool { return len(r.recipients(e)) > 0 })
}

// folded says whether channelSettings or recipients fold the events of such streams.
func folded(s domain.StreamType) bool { return s == domain.MemberStream || s == domain.TenantStream }

// handle notifies the recipients of a page's events: in the inbox always, and over
// the tenant's channel if that is another. Each table is read and written by one
// statement a page.
func handle(ctx context.Context, page *feed.Page) error {
	perEvent := make([][]Notification, len(page.Events))
	var users []uuid.UUID // whose row in recipients is read
	for i, e := range page.Events {
		var err error
		if perEvent[i], err = Of(e); err != nil {
			return err
		}
		users = append(users, column(perEvent[i], func(n Notification) uuid.UUID { return n.User.UUID() })...)
		if e.Stream.Type == domain.MemberStream {
			users = append(users, e.Stream.ID)
		}
	}
	if err := joinBulks(ctx, page, perEvent); err != nil {
		return err
	}
	settings, members, err := loadFolded(ctx, page, users)
	if err != nil {
		return err
	}

	messages := map[domain.Channel][]Message{}
	for i, e := range page.Events {
		// Before the event's messages: they go out by the settings and names that
		// hold with the event.
		if err := settings.fold(e); err != nil {
			return err
		}
		members.fold(e)
		for _, n := range perEvent[i] {
			// A user who left gets nothing but the row in the inbox.
			to, ok := members.members[n.User.UUID()]
			if t := settings.tenant; ok && t.Channel != domain.ChannelInApp {
				messages[t.Channel] = append(messages[t.Channel], Message{n, to, t.EmailFrom, t.SlackWebhook})
			}
		}
	}
	for _, c := range slices.Sorted(maps.Keys(messages)) {
		if err := publish(ctx, page.Tx, c, lastOf(messages[c], func(m Message) Notification { return m.Notification })); err != nil {
			return err
		}
	}
	queueNotifications(page, slices.Concat(perEvent...))
	settings.queue(page)
	members.queue(page)
	return nil
}
