package notify

import (
	stdsql "database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
)

// queueSQL puts messages into the queue of a channel ($1), each unless it is
// there: $2 tenants, $3 ids, $4 users, $5 actors (nil UUID: none), $6 seqs, $7
// messages.
const queueSQL = `insert into deliveries (tenant_id, id, channel, user_id, actor_id, seq, message)
select n.tenant_id, n.id, $1, n.user_id, nullif(n.actor_id, '00000000-0000-0000-0000-000000000000'), n.seq, n.message
from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[], $7::json[]) as n (tenant_id, id, user_id, actor_id, seq, message)
on conflict on constraint deliveries_pk do nothing`

// claimSQL takes the delivery of a channel ($1) that is longest due and gives it a
// lease of $2 seconds, leaving out tenants of which $3 are being sent. It looks at
// the first hundred that are due. Only if all of them belong to tenants left out
// does it walk from tenant to tenant, one probe each: so a tenant with very many
// waiting neither hides the others nor makes the look at them longer.
const claimSQL = `with recursive busy as materialized (
  select f.tenant_id from deliveries f
  where f.channel = $1 and f.leased_until > statement_timestamp()
  group by f.tenant_id having count(*) >= $3
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
  order by c.due_at, c.tenant_id, c.id limit 1
), taken as (
  select d.tenant_id, d.id from deliveries d join chosen using (tenant_id, id)
  where d.finished_at is null for no key update of d skip locked
)
update deliveries d set attempts = d.attempts + 1,
  leased_until = statement_timestamp() + make_interval(secs => $2),
  due_at = statement_timestamp() + make_interval(secs => $2)
from taken where d.tenant_id = taken.tenant_id and d.id = taken.id
returning d.tenant_id, d.id, d.channel, d.attempts, d.message`

// endSQL ends an attempt ($3) at a delivery ($2) of a tenant ($1): $4 is its
// state now, $5 in how many seconds it is due again if it is still queued, $6
// what the problem was (empty: there was none). A later attempt isn't touched.
const endSQL = `update deliveries set state = $4::text, problem = nullif($6, ''), leased_until = null,
  due_at = case when $4::text = 'queued' then statement_timestamp() + make_interval(secs => $5) else due_at end,
  finished_at = case when $4::text = 'queued' then null else statement_timestamp() end
where tenant_id = $1 and id = $2 and attempts = $3 and finished_at is null`

// schema is watermill-sql's SchemaAdapter for the one deliveries table; a topic
// is a channel.
type schema struct {
	lease     time.Duration
	perTenant int
}

var _ sql.SchemaAdapter = schema{}

// InsertQuery queues the messages that envelope made.
func (schema) InsertQuery(p sql.InsertQueryParams) (sql.Query, error) {
	var (
		tenants, ids, users, actors []uuid.UUID
		seqs                        []int64
		payloads                    []string
	)
	for _, m := range p.Msgs {
		var parsed [4]uuid.UUID
		for i, s := range []string{m.Metadata.Get(metaTenant), m.UUID, m.Metadata.Get(metaUser), m.Metadata.Get(metaActor)} {
			var err error
			if parsed[i], err = uuid.Parse(s); err != nil {
				return sql.Query{}, fmt.Errorf("message %s: %w", m.UUID, err)
			}
		}
		seq, err := strconv.ParseInt(m.Metadata.Get(metaSeq), 10, 64)
		if err != nil {
			return sql.Query{}, fmt.Errorf("message %s: %w", m.UUID, err)
		}
		tenants, ids = append(tenants, parsed[0]), append(ids, parsed[1])
		users, actors = append(users, parsed[2]), append(actors, parsed[3])
		seqs, payloads = append(seqs, seq), append(payloads, string(m.Payload))
	}
	return sql.Query{Query: queueSQL, Args: []any{p.Topic, tenants, ids, users, actors, seqs, payloads}}, nil
}

// SelectQuery claims at most one delivery: what watermill-sql does with several
// at once would keep the later ones waiting on the first.
func (s schema) SelectQuery(p sql.SelectQueryParams) (sql.Query, error) {
	return sql.Query{Query: claimSQL, Args: []any{p.Topic, s.lease.Seconds(), s.perTenant}}, nil
}

// UnmarshalMessage makes a message of what was claimed. Its offset is the number
// of the attempt: always above zero, as the Subscriber needs it to be.
func (schema) UnmarshalMessage(p sql.UnmarshalMessageParams) (sql.Row, error) {
	var c claim
	if err := p.Row.Scan(&c); err != nil {
		return sql.Row{}, err
	}
	m := message.NewMessage(c.id.String(), c.payload)
	m.Metadata.Set(metaTenant, c.tenant.String())
	m.Metadata.Set(metaChannel, c.channel)
	m.Metadata.Set(metaAttempt, strconv.FormatInt(c.attempt, 10))
	return sql.Row{Offset: c.attempt, UUID: c.id[:], Payload: c.payload, Msg: m}, nil
}

// SchemaInitializingQueries are none: the table is made by a migration.
func (schema) SchemaInitializingQueries(sql.SchemaInitializingQueriesParams) ([]sql.Query, error) {
	return nil, nil
}

// SubscribeIsolationLevel is asked for, but no transaction is ever begun.
func (schema) SubscribeIsolationLevel() stdsql.IsolationLevel { return stdsql.LevelReadCommitted }

// ends is watermill-sql's OffsetsAdapter: there are no offsets, but an attempt
// that was acked has an end.
type ends struct{}

var _ sql.OffsetsAdapter = ends{}

// AckMessageQuery records what the worker wrote into the message's metadata. A
// message that was acked by somebody else is left to its lease.
func (ends) AckMessageQuery(p sql.AckMessageQueryParams) (sql.Query, error) {
	m := p.LastRow.Msg
	state := m.Metadata.Get(metaState)
	if state == "" {
		return sql.Query{}, fmt.Errorf("delivery %s was acked without an outcome", m.UUID)
	}
	tenant, err := uuid.Parse(m.Metadata.Get(metaTenant))
	if err != nil {
		return sql.Query{}, err
	}
	id, err := uuid.Parse(m.UUID)
	if err != nil {
		return sql.Query{}, err
	}
	wait, err := strconv.ParseFloat(m.Metadata.Get(metaWait), 64)
	if err != nil {
		return sql.Query{}, err
	}
	return sql.Query{Query: endSQL, Args: []any{tenant, id, p.LastRow.Offset, state, wait, m.Metadata.Get(metaProblem)}}, nil
}

// ConsumedMessageQuery is none: a delivery was claimed before it was consumed.
func (ends) ConsumedMessageQuery(sql.ConsumedMessageQueryParams) (sql.Query, error) {
	return sql.Query{}, nil
}

// NextOffsetQuery is none: the claim finds what is next.
func (ends) NextOffsetQuery(sql.NextOffsetQueryParams) (sql.Query, error) { return sql.Query{}, nil }

// SchemaInitializingQueries are none, as in schema.
func (ends) SchemaInitializingQueries(sql.OffsetsSchemaInitializingQueriesParams) ([]sql.Query, error) {
	return nil, nil
}

// BeforeSubscribingQueries are none.
func (ends) BeforeSubscribingQueries(sql.BeforeSubscribingQueriesParams) ([]sql.Query, error) {
	return nil, nil
}
