package notify

import (
	"context"

	"docket/domain"

	"github.com/jackc/pgx/v5"
)

// Provider sends notifications over one channel. It is made for one page, with
// the page's transaction: what it writes there is committed with the checkpoint
// or not at all, so it must not call anything outside the database.
type Provider interface {
	// Send sends one notification. An error fails the page, which comes again;
	// the same notification then has the same ID.
	Send(ctx context.Context, n Notification) error
}

// providers is what carries each channel.
var providers = map[domain.Channel]func(pgx.Tx) Provider{
	domain.ChannelInApp: func(tx pgx.Tx) Provider { return inApp{tx} },
}

// channelOf is the channel of a notification. There is one to choose from: no
// tenant and no user can ask for another yet.
func channelOf(Notification) domain.Channel { return domain.ChannelInApp }
