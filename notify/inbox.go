package notify

import (
	"context"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"
	"docket/eventstore/feed"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ownWait is the limit of the read-your-writes wait.
const ownWait = 250 * time.Millisecond

// ownSQL limits what the api role sees to one tenant ($1) and one user ($2), until the
// end of its transaction.
const ownSQL = `select set_config('docket.tenant', $1, true), set_config('docket.user', $2, true)`

// joinedSQL is the seq at which a user ($2) last joined a tenant ($1): they read no
// notification from before. It reads the membership's few events along the stream's
// key, the newest first.
const joinedSQL = `coalesce((select e.seq from events e
where e.tenant_id = $1 and e.stream_id = $2 and e.type = 'member.joined' order by e.version desc limit 1), 0)`

// columns ends with whether what a notification tells of was deleted since. The tenant log
// says so, and so a rebuild and a restore change nothing about it.
var columns = `id, tenant_id, user_id, actor_id, kind, reason, seq, entity_type, entity_id, project_id, title, body, created_at, read_at, ` +
	deletedExpr("n.tenant_id", "n.entity_type", "n.seq", "n.entity_id", "n.project_id")

// listSQL reads up to $5 notifications of a user ($2) in a tenant ($1), the newest
// first, after a position ($3 seq, $4 kind).
var listSQL = `select ` + columns + ` from notifications n
where tenant_id = $1 and user_id = $2 and (seq, kind) < ($3, $4) and seq > ` + joinedSQL + `
order by seq desc, kind desc limit $5`

// listUnreadSQL is listSQL for unread notifications.
var listUnreadSQL = `select ` + columns + ` from notifications n
where tenant_id = $1 and user_id = $2 and (seq, kind) < ($3, $4) and read_at is null and seq > ` + joinedSQL + `
order by seq desc, kind desc limit $5`

// markSQL marks a notification ($4) of a user ($2) in a tenant ($1) as read if the
// current version of their membership is $3. It returns the current version, and
// whether there is such a notification since they joined.
const markSQL = `with member as (` + eventstore.VersionSQL + ` as version),
marked as (
  update notifications n set read_at = clock_timestamp() from member
  where member.version = $3 and n.tenant_id = $1 and n.user_id = $2 and n.id = $4 and n.read_at is null
    and n.seq > ` + joinedSQL + `)
select member.version, exists (
  select from notifications n where n.tenant_id = $1 and n.user_id = $2 and n.id = $4
    and n.seq > ` + joinedSQL + `) from member`

// markAllSQL is markSQL for all unread notifications.
const markAllSQL = `with member as (` + eventstore.VersionSQL + ` as version),
marked as (
  update notifications n set read_at = clock_timestamp() from member
  where member.version = $3 and n.tenant_id = $1 and n.user_id = $2 and n.read_at is null
    and n.seq > ` + joinedSQL + `)
select member.version, true from member`

// Inbox reads and marks members' notifications. While Postgres is unreachable its
// methods return domain.CodeOverloaded, or domain.CodeOutcomeUnknown where a mark may
// have been made.
type Inbox struct {
	// OwnWait is the limit of the read-your-writes wait. NewInbox sets 250 ms, as the
	// HTTP contract says. Tests set more, for slow machines.
	OwnWait time.Duration

	api       *pgxpool.Pool
	positions *feed.Positions
}

// NewInbox makes an Inbox on a pool of the api role.
func NewInbox(api *pgxpool.Pool, positions *feed.Positions) *Inbox {
	return &Inbox{OwnWait: ownWait, api: api, positions: positions}
}

// Filter selects notifications of a list.
type Filter struct {
	// Unread leaves out notifications that were marked as read.
	Unread bool
}

// Position is the key of a notification in a user's list, which goes from the newest
// event to the oldest.
type Position struct {
	Seq  int64 `json:"seq"`
	Kind Kind  `json:"kind"`
}

// List returns up to limit of the caller's notifications since they last joined, the
// newest first, after a position (nil: from the start), and the position of the next
// page (nil: there is none). A notification of something that was deleted since says that,
// in place of its texts. It waits up to OwnWait for the subscription to reach seq,
// the last that the caller has caused.
//
// Errors: domain.ErrScopeStale.
func (i *Inbox) List(ctx context.Context, s domain.Scope, f Filter, after *Position, limit int, seq int64) ([]Notification, *Position, error) {
	i.await(ctx, s.Tenant(), seq)
	query, from := listSQL, newest
	if f.Unread {
		query = listUnreadSQL
	}
	if after != nil {
		from = *after
	}
	var (
		version int
		items   []Notification
	)
	tenant, user := s.Tenant().UUID(), s.Actor().ID.UUID()
	b := &pgx.Batch{}
	b.Queue(ownSQL, tenant.String(), user.String())
	b.Queue(eventstore.VersionSQL, tenant, user).QueryRow(func(row pgx.Row) error { return row.Scan(&version) })
	b.Queue(query, tenant, user, from.Seq, string(from.Kind), limit+1).Query(func(rows pgx.Rows) error {
		var err error
		items, err = pgx.CollectRows(rows, scan)
		return err
	})
	if err := eventstore.Unreachable(i.api.SendBatch(ctx, b).Close()); err != nil {
		return nil, nil, fmt.Errorf("list notifications: %w", err)
	}
	if err := checkVersion(s, version); err != nil {
		return nil, nil, err
	}
	if len(items) <= limit {
		return items, nil, nil
	}
	items = items[:limit]
	last := items[limit-1]
	return items, &Position{Seq: last.Seq, Kind: last.Kind}, nil
}

// newest is the position before every notification.
var newest = Position{Seq: 1<<63 - 1}

// MarkRead marks one of the caller's notifications as read, and keeps the time of one
// that is read already. Errors: domain.CodeNotFound, also for another user's
// notification; domain.ErrScopeStale.
func (i *Inbox) MarkRead(ctx context.Context, s domain.Scope, id domain.NotificationID) error {
	found, err := i.mark(ctx, s, markSQL, id.UUID())
	if err != nil {
		return err
	}
	if !found {
		return domain.NotFound("notification")
	}
	return nil
}

// MarkAllRead marks all the caller's notifications so far as read. Errors:
// domain.ErrScopeStale.
func (i *Inbox) MarkAllRead(ctx context.Context, s domain.Scope) error {
	_, err := i.mark(ctx, s, markAllSQL)
	return err
}

func (i *Inbox) mark(ctx context.Context, s domain.Scope, sql string, args ...any) (found bool, err error) {
	var version int
	tenant, user := s.Tenant().UUID(), s.Actor().ID.UUID()
	b := &pgx.Batch{}
	b.Queue(ownSQL, tenant.String(), user.String())
	b.Queue(sql, append([]any{tenant, user, s.MembershipVersion()}, args...)...).QueryRow(func(row pgx.Row) error {
		return row.Scan(&version, &found)
	})
	if err := eventstore.Unacknowledged(i.api.SendBatch(ctx, b).Close()); err != nil {
		return false, fmt.Errorf("mark notifications: %w", err)
	}
	return found, checkVersion(s, version)
}

// checkVersion returns domain.ErrScopeStale unless the scope rests on this version of
// the membership.
func checkVersion(s domain.Scope, version int) error {
	if version != s.MembershipVersion() {
		return domain.ErrScopeStale
	}
	return nil
}

func (i *Inbox) await(ctx context.Context, t domain.TenantID, seq int64) {
	if seq <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, i.OwnWait)
	defer cancel()
	i.positions.Await(ctx, t, seq, SubscriptionName)
}

func scan(row pgx.CollectableRow) (Notification, error) {
	var n Notification
	var actor, project *uuid.UUID
	var deleted bool
	err := row.Scan((*uuid.UUID)(&n.ID), (*uuid.UUID)(&n.Tenant), (*uuid.UUID)(&n.User), &actor, &n.Kind, &n.Reason, &n.Seq,
		&n.EntityType, &n.EntityID, &project, &n.Title, &n.Body, &n.CreatedAt, &n.ReadAt, &deleted)
	if err != nil {
		return n, err
	}
	if deleted {
		n.Title, n.Body = fmt.Sprintf("The %s was deleted", n.EntityType), ""
	}
	n.ProjectID = (*domain.ProjectID)(project)
	if actor != nil {
		n.Actor = domain.UserID(*actor)
	}
	n.CreatedAt = n.CreatedAt.UTC()
	if n.ReadAt != nil {
		read := n.ReadAt.UTC()
		n.ReadAt = &read
	}
	return n, nil
}
