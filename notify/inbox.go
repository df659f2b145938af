package notify

import (
	"context"
	"fmt"
	"time"

	"docket/domain"
	"docket/eventstore"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ownWait is how long a read waits for what its caller has caused.
const ownWait = 250 * time.Millisecond

// ownSQL limits what the api role sees to one tenant ($1) and one user ($2),
// until the end of the transaction that it is part of.
const ownSQL = `select set_config('docket.tenant', $1, true), set_config('docket.user', $2, true)`

// memberSQL reads at which version the membership of a user ($2) in a tenant
// ($1) stands now: what a Scope rests on.
const memberSQL = `select coalesce((select e.version from events e
where e.tenant_id = $1 and e.stream_id = $2 order by e.version desc limit 1), 0)`

// sinceSQL is the seq at which a user ($2) last joined a tenant ($1): who was away
// doesn't read what was told meanwhile, or before. The few events of a membership
// are read along the stream's key, the newest first.
const sinceSQL = `coalesce((select e.seq from events e
where e.tenant_id = $1 and e.stream_id = $2 and e.type = 'member.joined' order by e.version desc limit 1), 0)`

const columns = `id, tenant_id, user_id, actor_id, kind, reason, seq, entity_type, entity_id, project_id, title, body, created_at, read_at`

// listSQL reads up to $5 notifications of a user ($2) in a tenant ($1) that
// come after a position ($3 seq, $4 kind) in the order of newest first.
const listSQL = `select ` + columns + ` from notifications
where tenant_id = $1 and user_id = $2 and (seq, kind) < ($3, $4) and seq > ` + sinceSQL + `
order by seq desc, kind desc limit $5`

// listUnreadSQL is listSQL for those that the user hasn't read.
const listUnreadSQL = `select ` + columns + ` from notifications
where tenant_id = $1 and user_id = $2 and (seq, kind) < ($3, $4) and read_at is null and seq > ` + sinceSQL + `
order by seq desc, kind desc limit $5`

// markSQL marks a notification ($4) of a user ($2) in a tenant ($1) as read if
// their membership still stands at version $3. It says at which version it
// stands, and whether there is such a notification since they joined.
const markSQL = `with member as (` + memberSQL + ` as version),
marked as (
  update notifications n set read_at = clock_timestamp() from member
  where member.version = $3 and n.tenant_id = $1 and n.user_id = $2 and n.id = $4 and n.read_at is null
    and n.seq > ` + sinceSQL + `)
select member.version, exists (
  select from notifications n where n.tenant_id = $1 and n.user_id = $2 and n.id = $4
    and n.seq > ` + sinceSQL + `) from member`

// markAllSQL is markSQL for all that the user hasn't read.
const markAllSQL = `with member as (` + memberSQL + ` as version),
marked as (
  update notifications n set read_at = clock_timestamp() from member
  where member.version = $3 and n.tenant_id = $1 and n.user_id = $2 and n.read_at is null
    and n.seq > ` + sinceSQL + `)
select member.version, true from member`

// Inbox is where members find what they were told in the app. While Postgres is
// away its methods return domain.CodeOverloaded.
type Inbox struct {
	// OwnWait is how long a read waits for what its caller has caused; NewInbox
	// sets the contract's. Tests, which run on machines of any speed, wait longer.
	OwnWait time.Duration

	api      *pgxpool.Pool
	progress *eventstore.Progress
}

// NewInbox makes an Inbox on a pool of the api role.
func NewInbox(api *pgxpool.Pool, progress *eventstore.Progress) *Inbox {
	return &Inbox{OwnWait: ownWait, api: api, progress: progress}
}

// Filter says which notifications a list has.
type Filter struct {
	// Unread leaves out those that were marked as read.
	Unread bool
}

// Position is a place in a list of notifications, which goes from the newest
// event to the oldest. An event tells one user a kind once.
type Position struct {
	Seq  int64 `json:"seq"`
	Kind Kind  `json:"kind"`
}

// List reads up to limit of the caller's notifications since they last joined,
// the newest first, that come after a position (nil: from the start), and where the next page starts
// (nil: there is none). It waits at most 250 ms until the subscription has come
// to seq, the last that the caller has caused, and then answers what there is.
//
// Errors: domain.ErrScopeStale.
func (i *Inbox) List(ctx context.Context, s domain.Scope, f Filter, after *Position, limit int, seq int64) ([]Notification, *Position, error) {
	i.await(ctx, s.Tenant(), seq)
	sql, from := listSQL, newest
	if f.Unread {
		sql = listUnreadSQL
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
	b.Queue(memberSQL, tenant, user).QueryRow(func(row pgx.Row) error { return row.Scan(&version) })
	b.Queue(sql, tenant, user, from.Seq, string(from.Kind), limit+1).Query(func(rows pgx.Rows) error {
		var err error
		items, err = pgx.CollectRows(rows, scan)
		return err
	})
	if err := eventstore.Unreachable(i.api.SendBatch(ctx, b).Close()); err != nil {
		return nil, nil, fmt.Errorf("list notifications: %w", err)
	}
	if err := holds(s, version); err != nil {
		return nil, nil, err
	}
	if len(items) <= limit {
		return items, nil, nil
	}
	items = items[:limit]
	last := items[limit-1]
	return items, &Position{Seq: last.Seq, Kind: last.Kind}, nil
}

// newest is before every notification: the list's start.
var newest = Position{Seq: 1<<63 - 1}

// MarkRead marks one of the caller's notifications as read; one that is read
// already keeps its time. Errors: CodeNotFound, also for another user's;
// domain.ErrScopeStale.
func (i *Inbox) MarkRead(ctx context.Context, s domain.Scope, id domain.NotificationID) error {
	found, err := i.mark(ctx, s, markSQL, id.UUID())
	if err == nil && !found {
		return domain.NotFound("notification")
	}
	return err
}

// MarkAllRead marks all the caller's notifications as read that there are so
// far. Errors: domain.ErrScopeStale.
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
	if err := eventstore.Unreachable(i.api.SendBatch(ctx, b).Close()); err != nil {
		return false, fmt.Errorf("mark notifications: %w", err)
	}
	return found, holds(s, version)
}

// holds is domain.ErrScopeStale unless the scope rests on this version.
func holds(s domain.Scope, version int) error {
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
	i.progress.Await(ctx, t, seq, SubscriptionName)
}

func scan(row pgx.CollectableRow) (Notification, error) {
	var (
		n                   Notification
		id, tenant, user    uuid.UUID
		actor, project      *uuid.UUID
		kind, reason, about string
	)
	err := row.Scan(&id, &tenant, &user, &actor, &kind, &reason, &n.Seq, &about, &n.EntityID, &project,
		&n.Title, &n.Body, &n.CreatedAt, &n.ReadAt)
	if err != nil {
		return n, err
	}
	n.ID, n.Tenant, n.User = domain.NotificationID(id), domain.TenantID(tenant), domain.UserID(user)
	n.Kind, n.Reason, n.EntityType = Kind(kind), Reason(reason), domain.StreamType(about)
	if actor != nil {
		n.Actor = domain.UserID(*actor)
	}
	if project != nil {
		p := domain.ProjectID(*project)
		n.ProjectID = &p
	}
	n.CreatedAt = n.CreatedAt.UTC()
	if n.ReadAt != nil {
		read := n.ReadAt.UTC()
		n.ReadAt = &read
	}
	return n, nil
}
