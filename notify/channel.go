package notify

import (
	"errors"
	"fmt"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// channelSQL reads the channel settings of a tenant ($1), and the version of the tenant
// that they are of.
const channelSQL = `select channel, email_from, slack_webhook, version from tenant_channels where tenant_id = $1`

// setChannelSQL writes the channel settings of a tenant ($1): $2 channel, $3 sender
// of e-mail, $4 name of the secret with the Slack webhook, $5 version.
const setChannelSQL = `insert into tenant_channels (tenant_id, channel, email_from, slack_webhook, version)
values ($1, $2, $3, $4, $5)
on conflict on constraint tenant_channels_pk do update
set channel = excluded.channel, email_from = excluded.email_from, slack_webhook = excluded.slack_webhook, version = excluded.version`

// channelSettings are a tenant's as of one event. The subscription folds them from
// the tenant log itself, so they are exact and depend on no other subscription.
type channelSettings struct {
	// tenant has the settings and their version; its other fields are not loaded.
	tenant domain.Tenant
	stored domain.Tenant
}

// load reads the row, if there is one.
func (c *channelSettings) load(row pgx.Row) error {
	var webhook *uuid.UUID
	c.tenant.Channel = domain.ChannelInApp
	err := row.Scan(&c.tenant.Channel, &c.tenant.EmailFrom, &webhook, &c.tenant.Version)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	c.tenant.SlackWebhook = (*domain.SecretID)(webhook)
	c.stored = c.tenant
	return nil
}

// fold applies an event of the tenant's stream and ignores any other.
func (c *channelSettings) fold(e domain.Recorded) error {
	if e.Stream.Type != domain.TenantStream {
		return nil
	}
	next, err := c.tenant.Evolve(e)
	if err != nil {
		return fmt.Errorf("event %d: %w", e.Seq, err)
	}
	c.tenant = next
	return nil
}

// queue writes the settings if the tenant has another version.
func (c *channelSettings) queue(page *feed.Page) {
	now := c.tenant
	if now.Version == c.stored.Version {
		return
	}
	page.Queue(setChannelSQL, page.Tenant.UUID(), string(now.Channel), now.EmailFrom, (*uuid.UUID)(now.SlackWebhook), now.Version)
}
