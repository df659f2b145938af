package notify

import (
	"context"
	"fmt"

	"docket/domain"
	"docket/eventstore/feed"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// dropLostSQL deletes a tenant's ($1) notifications of events after the log's head ($2):
// what they tell of is lost, and a later event with the seq of one would not be notified.
const dropLostSQL = `delete from notifications where tenant_id = $1 and seq > $2`

// dropLostDeliveriesSQL deletes a tenant's ($1) deliveries of events after the log's head
// ($2) that aren't finished. A finished one stays as the record of what was sent.
const dropLostDeliveriesSQL = `delete from deliveries where tenant_id = $1 and seq > $2 and finished_at is null`

// dropChannelSQL and dropRecipientsSQL delete what the subscription folds of a tenant ($1).
const (
	dropChannelSQL    = `delete from tenant_channels where tenant_id = $1`
	dropRecipientsSQL = `delete from recipients where tenant_id = $1`
)

// Recovery brings back the notifications of a tenant whose log has lost events. It notifies
// of no event.
func Recovery() feed.Recovery {
	r := feed.Recovery{Drop: dropLost, Fold: foldAgain}
	for _, d := range domain.Definitions() {
		if !folded(d.Stream) {
			r.Ignores = append(r.Ignores, d.Type)
		}
	}
	return r
}

func dropLost(ctx context.Context, tx pgx.Tx, t domain.TenantID, head int64) error {
	b := &pgx.Batch{}
	b.Queue(dropLostSQL, t.UUID(), head)
	b.Queue(dropLostDeliveriesSQL, t.UUID(), head)
	b.Queue(dropChannelSQL, t.UUID())
	b.Queue(dropRecipientsSQL, t.UUID())
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("drop the notifications of lost events: %w", err)
	}
	return nil
}

// foldAgain folds the settings and the recipients, as handle does.
func foldAgain(ctx context.Context, page *feed.Page) error {
	var users []uuid.UUID
	for _, e := range page.Events {
		if e.Stream.Type == domain.MemberStream {
			users = append(users, e.Stream.ID)
		}
	}
	settings, members, err := loadFolded(ctx, page, users)
	if err != nil {
		return err
	}
	for _, e := range page.Events {
		if err := settings.fold(e); err != nil {
			return err
		}
		members.fold(e)
	}
	settings.queue(page)
	members.queue(page)
	return nil
}

// loadFolded reads the settings of a page's tenant, and the recipients among some users.
func loadFolded(ctx context.Context, page *feed.Page, users []uuid.UUID) (*channelSettings, *recipients, error) {
	var (
		settings channelSettings
		members  recipients
	)
	b := &pgx.Batch{}
	b.Queue(channelSQL, page.Tenant.UUID()).QueryRow(settings.load)
	b.Queue(recipientsSQL, page.Tenant.UUID(), users).Query(members.load)
	if err := page.Tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, nil, fmt.Errorf("read channel and recipients: %w", err)
	}
	return &settings, &members, nil
}
