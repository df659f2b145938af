package notify

import (
	"context"
	"errors"
	"fmt"

	"docket/domain"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// channelSQL reads what a tenant ($1) has chosen so far.
const channelSQL = `select channel, email_from, slack_webhook from tenant_channels where tenant_id = $1`

// setChannelSQL keeps what a tenant ($1) has chosen: $2 channel, $3 sender of
// e-mail, $4 name of the Slack webhook.
const setChannelSQL = `insert into tenant_channels (tenant_id, channel, email_from, slack_webhook)
values ($1, $2, $3, $4)
on conflict on constraint tenant_channels_pk do update
set channel = excluded.channel, email_from = excluded.email_from, slack_webhook = excluded.slack_webhook`

// channels is how a page's tenant wants its members to be told, as it was at the
// event in hand. It is folded from the tenant's own log by this subscription
// itself: it is exact, and waits for no other.
type channels struct {
	tx     pgx.Tx
	tenant domain.TenantID
	loaded bool
	now    domain.Tenant
}

// fold takes in an event of the tenant's stream; any other changes nothing.
func (c *channels) fold(ctx context.Context, e domain.Recorded) error {
	if e.Stream.Type != domain.TenantStream {
		return nil
	}
	if err := c.load(ctx); err != nil {
		return err
	}
	before := c.now
	next, err := c.now.Evolve(e)
	if err != nil {
		return fmt.Errorf("event %d: %w", e.Seq, err)
	}
	c.now = next
	if before.Channel == next.Channel && before.EmailFrom == next.EmailFrom && before.SlackWebhook == next.SlackWebhook {
		return nil
	}
	var webhook *uuid.UUID
	if next.SlackWebhook != nil {
		id := next.SlackWebhook.UUID()
		webhook = &id
	}
	if _, err := c.tx.Exec(ctx, setChannelSQL, c.tenant.UUID(), string(next.Channel), next.EmailFrom, webhook); err != nil {
		return fmt.Errorf("keep channel: %w", err)
	}
	return nil
}

// chosen is the tenant with its channel and what goes with it; its other fields
// mean nothing.
func (c *channels) chosen(ctx context.Context) (domain.Tenant, error) {
	err := c.load(ctx)
	return c.now, err
}

func (c *channels) load(ctx context.Context) error {
	if c.loaded {
		return nil
	}
	var webhook *uuid.UUID
	err := c.tx.QueryRow(ctx, channelSQL, c.tenant.UUID()).Scan(&c.now.Channel, &c.now.EmailFrom, &webhook)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		c.now.Channel = domain.ChannelInApp
	case err != nil:
		return fmt.Errorf("read channel: %w", err)
	}
	if webhook != nil {
		id := domain.SecretID(*webhook)
		c.now.SlackWebhook = &id
	}
	c.loaded = true
	return nil
}
