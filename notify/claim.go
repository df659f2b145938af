package notify

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// claimLockSQL admits one claim of a channel ($1) at a time, over all replicas: two
// at once would both see room below a tenant's cap. The claim's own transaction
// holds the lock, for about a millisecond.
const claimLockSQL = `select pg_advisory_xact_lock(hashtextextended('docket deliveries ' || $1, 0))`

// providerSQL records that a replica has a provider for a channel ($1).
const providerSQL = `insert into delivery_providers (channel) values ($1)
on conflict on constraint delivery_providers_pk do update set seen_at = statement_timestamp()`

// providerEvery is the pause between two such records of a replica, and providerKnownFor
// is how long one keeps stand-ins from claiming: a fleet that restarts, or whose only
// server with a provider is away, must not have its messages marked as sent.
const providerEvery, providerKnownFor = time.Minute, 24 * time.Hour

// claimSQL claims the delivery of a channel ($1) that is longest due, with a lease of
// $2 seconds, and leaves out tenants with $3 leased deliveries, tenants whose receiver has
// asked for a pause, and the tenants $6. Where the channel has one message for all
// recipients of an event ($5), it claims the event's other deliveries that are due with
// it, which count as one. A stand-in claims nothing
// if a replica has had a provider in the last $4 seconds (null for a provider). It reads the first
// hundred that are due. Only if all of them belong to tenants left out does it walk
// from tenant to tenant, one probe each: a tenant with very many deliveries neither
// hides the other tenants nor makes the claim slower.
const claimSQL = `with recursive busy as materialized (
  select f.tenant_id from deliveries f
  where f.channel = $1 and f.leased_until > statement_timestamp()
  group by f.tenant_id having case when $5 then count(distinct f.seq) else count(*) end >= $3
  union select p.tenant_id from delivery_pauses p join tenant_channels c on c.tenant_id = p.tenant_id and c.slack_webhook = p.receiver
  where p.channel = $1 and p.until > statement_timestamp()
  union select unnest($6::uuid[])
), early as materialized (
  select d.tenant_id, d.id, d.due_at from deliveries d
  where d.channel = $1 and d.finished_at is null and d.due_at <= statement_timestamp()
  order by d.due_at, d.tenant_id, d.id limit 100
), heads as (
  (select d.tenant_id, d.id, d.due_at from deliveries d
   where d.channel = $1 and d.finished_at is null
     and (select count(*) = 100 and bool_and(e.tenant_id in (select tenant_id from busy)) from early e)
   order by d.tenant_id, d.due_at, d.id limit 1)
  union all
  select n.tenant_id, n.id, n.due_at from heads h cross join lateral (
    select d.tenant_id, d.id, d.due_at from deliveries d
    where d.channel = $1 and d.finished_at is null and d.tenant_id > h.tenant_id
    order by d.tenant_id, d.due_at, d.id limit 1) n
), chosen as (
  select c.tenant_id, c.id from (select * from early union all select * from heads) c
  where c.due_at <= statement_timestamp() and c.tenant_id not in (select tenant_id from busy)
    and not exists (select from delivery_providers p
      where p.channel = $1 and p.seen_at > statement_timestamp() - make_interval(secs => $4))
  order by c.due_at, c.tenant_id, c.id limit 1
), taken as (
  select d.tenant_id, d.id, d.due_at, d.seq from deliveries d join chosen using (tenant_id, id)
  where d.finished_at is null for no key update of d skip locked
), others as (
  select d.tenant_id, d.id from taken t join deliveries d
    on d.tenant_id = t.tenant_id and d.due_at = t.due_at and d.seq = t.seq and d.id <> t.id
  where $5 and d.channel = $1 and d.finished_at is null for no key update of d skip locked
)
update deliveries d set attempts = d.attempts + 1,
  leased_until = statement_timestamp() + make_interval(secs => $2),
  due_at = statement_timestamp() + make_interval(secs => $2)
from (select tenant_id, id from taken union all select tenant_id, id from others) a
where d.tenant_id = a.tenant_id and d.id = a.id
returning d.tenant_id, d.id, d.channel, d.attempts, d.message,
  extract(epoch from statement_timestamp() - d.created_at)::float8`

// claimTimeout bounds a claim, and the statement that finishes an attempt: on a silent
// network there is neither an answer nor an error, and other claims wait.
const claimTimeout = 10 * time.Second

// errDraining is the answer to a claim after drain.
var errDraining = errors.New("the delivery queue is closing")

// claims is what watermill-sql's Subscriber takes for its database. The Subscriber
// wraps a transaction around reading, sending and acking a message. Here that is an
// attempt, which holds nothing of the database while a message is sent: the claim is
// a transaction of its own, and so is the statement that finishes the attempt.
type claims struct {
	sql.Beginner // on the pool: each statement commits by itself
	pool         *pgxpool.Pool
	log          *slog.Logger
	channels     map[string]*claimTurn

	mu       sync.Mutex
	draining bool
	open     sync.WaitGroup
}

// claimTurn has one claim of a channel at a time: others would only hold connections while
// they wait for claimLockSQL.
type claimTurn struct {
	mu sync.Mutex
	// standIn is set where this replica has no provider for the channel.
	standIn bool
	// recorded is when providerSQL was last run.
	recorded time.Time
	// foreign are the tenants whose deliveries another replica has to send.
	foreign foreignTenants
}

func newClaims(pool *pgxpool.Pool, standIns map[string]bool, log *slog.Logger) *claims {
	c := &claims{Beginner: sql.BeginnerFromPgx(pool), pool: pool, channels: map[string]*claimTurn{}, log: log}
	for channel, standIn := range standIns {
		c.channels[channel] = &claimTurn{standIn: standIn}
	}
	return c
}

// drain stops claiming. The channel closes when all attempts have ended.
func (c *claims) drain() <-chan struct{} {
	c.mu.Lock()
	c.draining = true
	c.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		c.open.Wait()
		close(ended)
	}()
	return ended
}

func (c *claims) isDraining() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

// BeginTx begins an attempt.
func (c *claims) BeginTx(context.Context, *stdsql.TxOptions) (sql.Tx, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return nil, errDraining
	}
	c.open.Add(1)
	return &attempt{claims: c}, nil
}

// attempt is one attempt to send one message, from the claim to the outcomes: of one
// delivery, or of all an event's where the channel has one message for them.
type attempt struct {
	claims     *claims
	tenant     uuid.UUID
	channel    string
	deliveries []*delivery
	// receiver names the one address that the tenant's messages go to; nil if there is none.
	receiver *uuid.UUID
	// pause is what the receiver asked for; nil: it did not ask.
	pause *pause
}

// delivery is a claimed row.
type delivery struct {
	id      uuid.UUID
	number  int // of the attempt
	message []byte
	age     time.Duration
	// outcome is nil until Deliver returns.
	outcome *outcome
	// user is the recipient, and counted the hour in which the message was counted; nil: it
	// wasn't.
	user    uuid.UUID
	counted *time.Time
}

// attemptOf is the attempt that a message of the Queue stands for.
func attemptOf(ctx context.Context) (*attempt, error) {
	tx, _ := sql.TxFromContext(ctx)
	a, ok := tx.(*attempt)
	if !ok {
		return nil, errors.New("message is not of the delivery queue")
	}
	return a, nil
}

// QueryContext claims what is due, if anything is.
func (a *attempt) QueryContext(ctx context.Context, query string, args ...any) (sql.Rows, error) {
	channel := args[0].(string)
	turn := a.claims.channels[channel]
	turn.mu.Lock()
	defer turn.mu.Unlock()
	if a.claims.isDraining() {
		return &claimed{a, false}, nil
	}
	b := &pgx.Batch{}
	records := !turn.standIn && time.Since(turn.recorded) > providerEvery
	if records {
		b.Queue(providerSQL, channel)
	}
	b.Queue(claimLockSQL, channel)
	b.Queue(query, append(args, turn.foreign.list(time.Now()))...).Query(a.scan)
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	if err := a.claims.pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	if records {
		turn.recorded = time.Now()
	}
	return &claimed{a, len(a.deliveries) > 0}, nil
}

// scan reads the claimed rows.
func (a *attempt) scan(rows pgx.Rows) error {
	for rows.Next() {
		d, age := &delivery{}, 0.0
		if err := rows.Scan(&a.tenant, &d.id, &a.channel, &d.number, &d.message, &age); err != nil {
			return err
		}
		d.age = time.Duration(age * float64(time.Second))
		a.deliveries = append(a.deliveries, d)
	}
	return rows.Err()
}

// ExecContext finishes the attempt. Another attempt may have begun since, if the
// lease ended.
func (a *attempt) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	var tag pgconn.CommandTag
	b := &pgx.Batch{}
	b.Queue(query, args...).Exec(func(t pgconn.CommandTag) error { tag = t; return nil })
	a.queuePause(b)
	a.queueUncounted(b)
	if err := a.claims.pool.SendBatch(ctx, b).Close(); err != nil {
		return nil, fmt.Errorf("finish attempt: %w", err)
	}
	if tag.RowsAffected() < int64(len(a.deliveries)) {
		a.claims.log.WarnContext(ctx, "delivery outlived its lease and may be sent twice", "tenant", a.tenant, "delivery", a.deliveries[0].id)
	}
	return sql.PgxResult{CommandTag: tag}, nil
}

// Commit ends an attempt that is finished, or that found nothing due.
func (a *attempt) Commit() error {
	a.claims.open.Done()
	return nil
}

// Rollback ends an attempt that failed before it was finished: the delivery is due
// again when its lease ends.
func (a *attempt) Rollback() error { return a.Commit() }

// claimed is the result of a claim: the attempt, or no row.
type claimed struct {
	attempt *attempt
	more    bool
}

// Next moves to the row, the first time.
func (c *claimed) Next() bool {
	more := c.more
	c.more = false
	return more
}

// Scan is called by schema.UnmarshalMessage only.
func (c *claimed) Scan(dest ...any) error {
	*dest[0].(**attempt) = c.attempt
	return nil
}

// Close is a no-op: the row was read in QueryContext, so that an error is the claim's.
func (c *claimed) Close() error { return nil }
